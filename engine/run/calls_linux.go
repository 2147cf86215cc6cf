package run

// The numbers of the program's calls. The constants of package unix differ by
// architecture; the names do not.

import (
	"golang.org/x/sys/unix"

	"sbx/engine/program"
)

var callNumbers = [...]uint16{
	program.Openat:       unix.SYS_OPENAT,
	program.Openat2:      unix.SYS_OPENAT2,
	program.Close:        unix.SYS_CLOSE,
	program.CloseRange:   unix.SYS_CLOSE_RANGE,
	program.WriteCall:    unix.SYS_WRITE,
	program.Sendfile:     unix.SYS_SENDFILE,
	program.Mkdirat:      unix.SYS_MKDIRAT,
	program.Mknodat:      unix.SYS_MKNODAT,
	program.Symlinkat:    unix.SYS_SYMLINKAT,
	program.Unlinkat:     unix.SYS_UNLINKAT,
	program.Fchmodat:     unix.SYS_FCHMODAT,
	program.Fchownat:     unix.SYS_FCHOWNAT,
	program.OpenTree:     unix.SYS_OPEN_TREE,
	program.MoveMount:    unix.SYS_MOVE_MOUNT,
	program.MountSetattr: unix.SYS_MOUNT_SETATTR,
	program.Fsopen:       unix.SYS_FSOPEN,
	program.Fsconfig:     unix.SYS_FSCONFIG,
	program.Fsmount:      unix.SYS_FSMOUNT,
	program.Mount:        unix.SYS_MOUNT,
	program.Umount2:      unix.SYS_UMOUNT2,
	program.PivotRoot:    unix.SYS_PIVOT_ROOT,
	program.Chdir:        unix.SYS_CHDIR,
	program.Fchdir:       unix.SYS_FCHDIR,
	program.Chroot:       unix.SYS_CHROOT,
	program.Umask:        unix.SYS_UMASK,
	program.Sethostname:  unix.SYS_SETHOSTNAME,
	program.Setsid:       unix.SYS_SETSID,
	program.Prctl:        unix.SYS_PRCTL,
	program.Capset:       unix.SYS_CAPSET,
	program.Prlimit64:    unix.SYS_PRLIMIT64,
	program.Seccomp:      unix.SYS_SECCOMP,
	program.Socket:       unix.SYS_SOCKET,
	program.Ioctl:        unix.SYS_IOCTL,
	program.Fcntl:        unix.SYS_FCNTL,
	program.Dup3:         unix.SYS_DUP3,
	program.Unshare:      unix.SYS_UNSHARE,
	program.Getpid:       unix.SYS_GETPID,
	program.Kill:         unix.SYS_KILL,
	program.Setns:        unix.SYS_SETNS,
	program.Sendmsg:      unix.SYS_SENDMSG,
	program.ReadCall:     unix.SYS_READ,
	program.Faccessat2:   unix.SYS_FACCESSAT2,
	program.Statx:        unix.SYS_STATX,
	program.Setuid:       unix.SYS_SETUID,
	program.Setgid:       unix.SYS_SETGID,
	program.LandlockNew:  unix.SYS_LANDLOCK_CREATE_RULESET,
	program.LandlockSelf: unix.SYS_LANDLOCK_RESTRICT_SELF,
	program.Execve:       unix.SYS_EXECVE,
}
