package int80

// Call makes the i386 system call nr by int $0x80 and returns its raw result.
// Addresses among the arguments must be below 4 GiB (MAP_32BIT, mmap(2)). A kernel
// without CONFIG_IA32_EMULATION, or booted with ia32_emulation=0, answers with SIGSEGV.
//
//go:noescape
func Call(nr, a, b, c, d, e uint32) int32
