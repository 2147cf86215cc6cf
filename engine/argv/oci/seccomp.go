package oci

// The filter of system calls, by the names of libseccomp.

import "sbx/engine/plan"

// architectures names those that a kernel runs programs of.
func architectures(arch string) []string {
	if arch == "arm64" {
		return []string{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}
	}
	return []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}
}

// filter is what sbx filters: it keeps the command from typing into the caller's
// terminal, and does what the plan asks for.
func filter(p *plan.Plan, arch string) *Seccomp {
	const (
		errno     = "SCMP_ACT_ERRNO"
		masked    = "SCMP_CMP_MASKED_EQ"
		low       = 0xffffffff // of the argument that counts
		tiocsti   = 0x5412
		tioclinux = 0x541c
		eperm     = 1
		msSync    = 4
	)
	s := &Seccomp{DefaultAction: "SCMP_ACT_ALLOW", Architectures: architectures(arch)}
	for _, request := range []uint64{tiocsti, tioclinux} {
		if p.TerminalInput {
			break
		}
		s.Syscalls = append(s.Syscalls, Syscall{Names: []string{"ioctl"}, Action: errno, ErrnoRet: eperm,
			Args: []Arg{{Index: 1, Value: low, ValueTwo: request, Op: masked}}})
	}
	if p.SuppressChown {
		s.Syscalls = append(s.Syscalls, Syscall{Names: []string{"chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32"}, Action: errno})
	}
	if p.SuppressSync {
		s.Syscalls = append(s.Syscalls,
			Syscall{Names: []string{"fdatasync", "fsync", "sync", "sync_file_range", "sync_file_range2", "syncfs"}, Action: errno},
			Syscall{Names: []string{"msync"}, Action: errno, Args: []Arg{{Index: 2, Value: msSync, ValueTwo: msSync, Op: masked}}})
	}
	if s.Syscalls == nil {
		return nil
	}
	return s
}
