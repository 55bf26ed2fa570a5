"""The tower: image -> unit vector."""
