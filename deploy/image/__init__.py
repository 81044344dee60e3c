"""The Dockerfile, tried without Docker: its steps run in clean roots that debootstrap makes. Needs Linux and root."""
