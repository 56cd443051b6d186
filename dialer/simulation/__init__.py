"""The whole world in one process and in virtual time: carrier, network, disk, daemons, operator."""
