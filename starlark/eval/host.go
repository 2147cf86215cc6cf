package eval

// Host: everything evaluation reads from outside. OS is the real one.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Host is what a script can see of the machine. Nothing is read before the
// script asks.
type Host interface {
	LookupEnv(name string) (string, bool)
	Environ() []string // NAME=value
	Cwd() (string, error)
	IDs() (uid, gid int)
	Uname() (arch, kernel string, err error)
	Stat(path string) (fs.FileMode, error) // follows symlinks
	// ReadFile returns the content of a regular file of at most limit bytes.
	ReadFile(path string, limit int64) ([]byte, error)
	Glob(pattern string) ([]string, error)
	Realpath(path string) (string, error)
	Readlink(path string) (string, error)
	// Symlinks returns at most limit paths of symbolic links in dir and depth
	// levels of directories; what cannot be read below dir is left out.
	Symlinks(dir string, depth, limit int) ([]string, error)
}

// OS is the machine sbx runs on.
type OS struct{}

// LookupEnv implements Host.
func (OS) LookupEnv(name string) (string, bool) { return os.LookupEnv(name) }

// Environ implements Host.
func (OS) Environ() []string { return os.Environ() }

// Cwd implements Host.
func (OS) Cwd() (string, error) { return os.Getwd() }

// IDs implements Host.
func (OS) IDs() (uid, gid int) { return os.Getuid(), os.Getgid() }

// Uname implements Host.
func (OS) Uname() (arch, kernel string, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", "", err
	}
	return unix.ByteSliceToString(u.Machine[:]), unix.ByteSliceToString(u.Release[:]), nil
}

// Stat implements Host.
func (OS) Stat(path string) (fs.FileMode, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Mode(), nil
}

var (
	errNotRegular = errors.New("it is not a regular file")
	errIsDir      = errors.New("it is a directory")
	errEmpty      = errors.New("it is empty")
)

// ReadFile implements Host. It makes the system calls itself: package os would
// register the file with the poller, which costs more than the reading.
func (OS) ReadFile(path string, limit int64) ([]byte, error) {
	// A FIFO without a writer must not hold up the open.
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	})
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return nil, errIsDir
	default:
		return nil, errNotRegular
	}
	if st.Size > limit {
		return nil, errTooLarge(limit)
	}
	return readAll(fd, st.Size, limit)
}

type errTooLarge int64

func (e errTooLarge) Error() string {
	return "it is larger than " + strconv.FormatInt(int64(e)>>20, 10) + " MiB"
}

// readAll reads to the end; files in /proc have more than their size says.
func readAll(fd int, size, limit int64) ([]byte, error) {
	buf := make([]byte, 0, max(size+1, 512))
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, buf[len(buf):cap(buf)]) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return buf, nil
		}
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLarge(limit)
		}
	}
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// Glob implements Host.
func (OS) Glob(pattern string) ([]string, error) { return Glob(pattern) }

// Realpath implements Host.
func (OS) Realpath(path string) (string, error) { return filepath.EvalSymlinks(path) }

// Readlink implements Host.
func (OS) Readlink(path string) (string, error) { return os.Readlink(path) }

// Symlinks implements Host.
func (OS) Symlinks(dir string, depth, limit int) ([]string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	return appendLinks(nil, dir, list, depth, limit), nil
}

func appendLinks(out []string, dir string, list []fs.DirEntry, depth, limit int) []string {
	for _, e := range list {
		if len(out) >= limit {
			break
		}
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			out = append(out, path)
		case e.IsDir() && depth > 1:
			if sub, err := os.ReadDir(path); err == nil {
				out = appendLinks(out, path, sub, depth-1, limit)
			}
		}
	}
	return out
}
