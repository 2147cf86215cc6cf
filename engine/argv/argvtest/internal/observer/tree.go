//go:build linux

package main

// The file system: mounts, and every file in reach.

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts lists the mount table: of each mount its device, root, type, flags,
// source and propagation. Several at one place are numbered from the bottom.
func mounts() {
	count := map[string]int{}
	for line := range strings.Lines(readProc("self/mountinfo")) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.SplitN(right, " ", 3)
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		var propagation []string
		for _, o := range l[6:] {
			name, _, _ := strings.Cut(o, ":")
			propagation = append(propagation, name)
		}
		point := l[4]
		key := "mount " + point
		if n := count[point]; n > 0 {
			key += fmt.Sprintf(" #%d", n+1)
		}
		count[point]++
		// device, root, options, propagation, type, source, super options
		see(key, "%s %s %s %s %s %s %s", l[2], l[3], l[5], strings.Join(append(propagation, "-"), ","), r[0], r[1], r[2])
	}
}

const (
	maxDepth   = 14
	maxEntries = 4000
	maxHash    = 1 << 16
	devpts     = 0x1cd1 // DEVPTS_SUPER_MAGIC
)

// walk tells of every file below top. Of the host's directories it shows only
// what leads to the test's files and to mounts that the host does not have.
func walk(top string, c *config) {
	n := 0
	leads := func(name string) bool {
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil && slices.Contains(c.Chain, fmt.Sprintf("%d:%d", st.Dev, st.Ino)) {
			return true
		}
		for key := range seen {
			point, ok := strings.CutPrefix(key, "mount ")
			if ok && (point == name || strings.HasPrefix(point, name+"/")) && !slices.Contains(c.HostMounts, point) {
				return true
			}
		}
		return false
	}
	var visit func(name string, depth int)
	visit = func(name string, depth int) {
		if n++; n > maxEntries {
			see("tree", "too many files")
			return
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			see("tree "+name, "%s", errno(err))
			return
		}
		what := fmt.Sprintf("%s %04o %d:%d %s", kind(&st), st.Mode&07777, st.Uid, st.Gid, access(name))
		var list []string
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			var b [unix.PathMax]byte
			k, err := unix.Readlink(name, b[:])
			what = fmt.Sprintf("link %d:%d -> %s %s", st.Uid, st.Gid, b[:max(k, 0)], errno(err))
		case unix.S_IFREG:
			what += fmt.Sprintf(" size %d %s", st.Size, content(name, st.Size))
		case unix.S_IFCHR, unix.S_IFBLK:
			what += fmt.Sprintf(" %d:%d %s", unix.Major(st.Rdev), unix.Minor(st.Rdev), device(name))
		case unix.S_IFDIR:
			var fs unix.Statfs_t
			if err := unix.Statfs(name, &fs); err == nil {
				switch int64(fs.Type) {
				case unix.PROC_SUPER_MAGIC:
					what = "proc " + proc(name)
					see("tree "+name, "%s", what)
					return
				case unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC:
					see("tree "+name, "%s, file system %#x", what, fs.Type)
					return
				}
			}
			var err error
			list, err = names(name)
			what += " " + errno(err)
			if int64(fs.Type) == devpts { // terminals come and go
				list = slices.DeleteFunc(list, func(e string) bool { return e != "ptmx" })
			}
			if id := fmt.Sprintf("%d:%d", st.Dev, st.Ino); slices.Contains(c.Stop, id) || slices.Contains(c.Chain, id) {
				what += " the host's"
				list = slices.DeleteFunc(list, func(e string) bool { return !leads(path.Join(name, e)) })
			}
		}
		see("tree "+name, "%s", what)
		if depth < maxDepth {
			for _, e := range list {
				visit(path.Join(name, e), depth+1)
			}
		}
	}
	visit(top, 0)
}

func names(dir string) ([]string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	list, _ := f.Readdirnames(-1)
	slices.Sort(list)
	return list, nil
}

// access says what the process may do with a file: r, w, x; o where the file
// system is read-only.
func access(name string) string {
	s := ""
	for _, a := range []struct {
		c    string
		mode uint32
	}{{"r", unix.R_OK}, {"w", unix.W_OK}, {"x", unix.X_OK}} {
		switch unix.Faccessat2(unix.AT_FDCWD, name, a.mode, unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW) {
		case nil:
			s += a.c
		case unix.EROFS:
			s += "o"
		default:
			s += "-"
		}
	}
	return s
}

func content(name string, size int64) string {
	if size > maxHash {
		return "large"
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return errno(err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(b)
	if len(b) <= 40 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%x", sum[:8])
}

// device opens those devices with which nothing can happen.
func device(name string) string {
	if !slices.Contains([]string{"null", "zero", "full", "random", "urandom", "tty", "ptmx"}, path.Base(name)) {
		return ""
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
	}
	return errno(err)
}

// proc tells how a /proc serves this process.
func proc(dir string) string {
	var b [64]byte
	n, err := unix.Readlink(dir+"/self", b[:])
	s := "self "
	switch {
	case err != nil:
		s += errno(err)
	case string(b[:n]) == fmt.Sprint(os.Getpid()):
		s += "this process"
	default:
		s += "by another name"
	}
	for _, name := range []string{"", "/sys", "/sysrq-trigger", "/irq", "/bus", "/sys/kernel/hostname", "/sys/user/max_user_namespaces", "/kcore", "/timer_list", "/1/root", "/1/environ"} {
		s += fmt.Sprintf(", %s %s", strings.TrimPrefix(name, "/"), access(dir+name))
	}
	return s
}
