"""What a definition does while it runs: pure, facts in and effects out.

``frame`` is where a flow stands, ``execution`` drives all flows of one execution, ``states`` holds one file for each
kind of state. Nothing here raises for what a definition or its data say: an error is a ``Failure``, which a state's
retriers and catchers get to see before it fails its flow. All that is needed to go on is plain JSON, so it fits a
checkpoint.
"""
