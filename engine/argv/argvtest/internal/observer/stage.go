//go:build linux

package main

// The state that the program under test is started in.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

type mountSpec struct {
	Source, Target, Type string
	Flags                uintptr
	Data                 string
}

// scene is the argument of "stage".
type scene struct {
	Keep   string      // a directory; all else is read-only in a new mount namespace, but for /proc
	Mounts []mountSpec // made in that namespace
	Dirs   []string    // made after the mounts
	Umask  *int
	Dir    string
	UID    int // -1: unchanged
	GID    int
	Groups []int
	Ignore []int
	Block  []int
	Core   *uint64 // RLIMIT_CORE, soft
	Drop   []int   // capabilities to drop from all sets, where uid is 0
	Env    []string
	Path   string // program, which is given the rest of the arguments with its name
}

// stage sets the scene and becomes the program.
func stage(arg string, argv []string) error {
	runtime.LockOSThread()
	var s scene
	if err := json.Unmarshal([]byte(arg), &s); err != nil {
		return err
	}
	if s.Keep != "" {
		if err := protect(s.Keep); err != nil {
			return fmt.Errorf("making the host read-only: %w", err)
		}
		for _, m := range s.Mounts {
			if err := unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data); err != nil {
				return fmt.Errorf("mount %s: %w", m.Target, err)
			}
		}
	}
	for _, d := range s.Dirs {
		if err := unix.Mkdir(d, 0o755); err != nil {
			return fmt.Errorf("mkdir %s: %w", d, err)
		}
		if s.UID >= 0 {
			if err := unix.Chown(d, s.UID, s.GID); err != nil {
				return err
			}
		}
	}
	if s.Core != nil {
		var l unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil {
			return err
		}
		l.Cur = min(*s.Core, l.Max)
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &l); err != nil {
			return err
		}
	}
	for _, n := range s.Ignore {
		signal.Ignore(syscall.Signal(n))
	}
	if len(s.Drop) > 0 {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		if err := unix.Capget(&hdr, &caps[0]); err != nil {
			return err
		}
		for _, c := range s.Drop {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
				return err
			}
			for _, p := range []*uint32{&caps[c/32].Effective, &caps[c/32].Permitted, &caps[c/32].Inheritable} {
				*p &^= 1 << (c % 32)
			}
		}
		if err := unix.Capset(&hdr, &caps[0]); err != nil {
			return err
		}
	}
	if s.UID >= 0 {
		if err := syscall.Setgroups(s.Groups); err != nil {
			return fmt.Errorf("setgroups: %w", err)
		}
		if err := syscall.Setresgid(s.GID, s.GID, s.GID); err != nil {
			return fmt.Errorf("setresgid: %w", err)
		}
		if err := syscall.Setresuid(s.UID, s.UID, s.UID); err != nil {
			return fmt.Errorf("setresuid: %w", err)
		}
	}
	if s.Dir != "" {
		if err := unix.Chdir(s.Dir); err != nil {
			return fmt.Errorf("chdir %s: %w", s.Dir, err)
		}
	}
	if s.Umask != nil {
		unix.Umask(*s.Umask)
	}
	if len(s.Block) > 0 {
		var set unix.Sigset_t
		for _, n := range s.Block {
			set.Val[(n-1)/64] |= 1 << ((n - 1) % 64)
		}
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
			return err
		}
	}
	return fmt.Errorf("exec %s: %w", s.Path, syscall.Exec(s.Path, argv, s.Env))
}

// protect makes a mount namespace where nothing of the host but keep and /proc can
// be written: the programs are made to do odd things, as root.
func protect(keep string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount(keep, keep, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	ro := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &ro); err != nil {
		return err
	}
	rw := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/proc", 0, &rw); err != nil {
		return err
	}
	return unix.MountSetattr(unix.AT_FDCWD, keep, 0, &rw)
}

// hold makes new user and pid namespaces, prints the id of a process in them, and
// keeps them until its standard input ends.
func hold() error {
	if len(os.Args) > 2 { // the process in them
		bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}
	p, err := os.StartProcess("/proc/self/exe", []string{"observer", "hold", "inside"}, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(p.Pid)
	p.Wait()
	os.Exit(0)
	return nil
}
