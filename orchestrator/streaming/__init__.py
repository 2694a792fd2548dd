"""What is being said, beside the journal: pieces of an answer on their way to whoever listens, and what is told of an
execution as a stream of events that survives the loss of its connection, and of its process.

May import ``protocol`` and everything below. A stream is not the truth: it is written only while somebody listens, it
is bounded, and gone once the answer is recorded. Whoever comes back with the id of the last event is told the rest, or
that the answer begins anew; never the end of one answer behind the beginning of another.
"""
