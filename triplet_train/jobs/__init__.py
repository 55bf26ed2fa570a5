"""What each command does, from beginning to end; here the rooms of the package are joined."""
