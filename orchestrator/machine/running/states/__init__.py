"""What each kind of state does, a file each."""
