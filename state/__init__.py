"""Where executions live: the Store contract, its stores, the codec and the error tree."""
