package seccomp

// arm64 never had the old calls, and has no second 64-bit ABI.
var (
	legacyChown []uintptr
	x32Calls    []uintptr
)

const (
	x32Ioctl  = 0
	x32Chowns = 0
)
