package seccomp

// This file is the tables of filtered system calls: arch/x86/entry/syscalls,
// include/uapi/asm-generic/unistd.h and arch/arm/tools/syscall.tbl of the kernel.

// A set groups the calls that one field of Filter is about.
type set uint8

const (
	chown set = iota
	fsync
	msync
	ioctl
)

type call struct {
	nr  uint16
	set set
}

// An abi is one way to call the kernel.
type abi struct {
	audit uint32 // AUDIT_ARCH_*, linux/audit.h
	clear uint32 // bits of the number that do not count
	calls []call // sorted by number
}

const maxCalls = 16 // in one abi

// x32 shares AUDIT_ARCH_X86_64 and sets a bit in the number. Its few numbers of its
// own (512 to 547) mean nothing without the bit, and the 64-bit ioctl means nothing
// with it, so both are matched with the bit cleared.
const x32Bit = 0x40000000 // __X32_SYSCALL_BIT

var amd64 = [2]abi{{
	audit: 0xc000003e, // AUDIT_ARCH_X86_64
	clear: x32Bit,
	calls: []call{
		{16, ioctl},
		{26, msync},
		{74, fsync},  // fsync
		{75, fsync},  // fdatasync
		{92, chown},  // chown
		{93, chown},  // fchown
		{94, chown},  // lchown
		{162, fsync}, // sync
		{260, chown}, // fchownat
		{277, fsync}, // sync_file_range
		{306, fsync}, // syncfs
		{514, ioctl}, // x32
	},
}, {
	audit: 0x40000003, // AUDIT_ARCH_I386
	calls: []call{
		{16, chown}, // lchown
		{36, fsync}, // sync
		{54, ioctl},
		{95, chown},  // fchown
		{118, fsync}, // fsync
		{144, msync},
		{148, fsync}, // fdatasync
		{182, chown}, // chown
		{198, chown}, // lchown32
		{207, chown}, // fchown32
		{212, chown}, // chown32
		{298, chown}, // fchownat
		{314, fsync}, // sync_file_range
		{344, fsync}, // syncfs
	},
}}

var arm64 = [2]abi{{
	audit: 0xc00000b7, // AUDIT_ARCH_AARCH64
	calls: []call{
		{29, ioctl},
		{54, chown}, // fchownat
		{55, chown}, // fchown
		{81, fsync}, // sync
		{82, fsync}, // fsync
		{83, fsync}, // fdatasync
		{84, fsync}, // sync_file_range
		{227, msync},
		{267, fsync}, // syncfs
	},
}, {
	audit: 0x40000028, // AUDIT_ARCH_ARM
	calls: []call{
		{16, chown}, // lchown
		{36, fsync}, // sync
		{54, ioctl},
		{95, chown},  // fchown
		{118, fsync}, // fsync
		{144, msync},
		{148, fsync}, // fdatasync
		{182, chown}, // chown
		{198, chown}, // lchown32
		{207, chown}, // fchown32
		{212, chown}, // chown32
		{325, chown}, // fchownat
		{341, fsync}, // sync_file_range2
		{373, fsync}, // syncfs
	},
}}
