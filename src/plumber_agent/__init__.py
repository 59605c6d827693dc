"""The program on a target server: it dials out to the control plane and listens on nothing."""
