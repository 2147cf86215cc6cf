package enginetest

import "golang.org/x/sys/unix"

// sysStat is the number of fstatat(2).
const sysStat = unix.SYS_NEWFSTATAT
