"""The Store contract as tests. A store is one when it passes all of them.

    class TestMyStore(StoreContract):
        async def make_store(self) -> Store:
            store = MyStore("mine://fresh")   # new data each time
            await store.open()
            return store

        async def reopen(self, store: Store) -> Store:
            other = MyStore(store.dsn)        # another connection to the same data
            await other.open()
            return other

pytest runs them as they are; nothing here imports it.
"""

from .accepting import Accepting
from .appending import Appending
from .deduplication import Deduplication
from .dying import Dying
from .leasing import Leasing
from .listing import Listing
from .mailing import Mailing
from .moving import Moving
from .serving import Serving
from .sharing import Sharing
from .values import Values


class StoreContract(
    Accepting, Deduplication, Mailing, Appending, Leasing, Dying, Serving, Sharing, Listing, Moving, Values
):
    """Every sentence of the contract, each as a test on a fresh store."""


__all__ = ["StoreContract"]
