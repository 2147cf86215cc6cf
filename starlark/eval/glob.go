package eval

// Glob: path/filepath's takes a directory that cannot be read for an empty one. What
// is masked by a pattern would then be seen.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Unseen reports whether an error says that there is no such file, or none that the
// caller could get at by that path. With any other error nobody can tell.
func Unseen(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return errors.Is(err, fs.ErrNotExist)
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.ELOOP, syscall.ENAMETOOLONG:
		return true
	}
	return false
}

// Closed returns the directory that keeps its owner, who is the caller, from a path;
// "": none does. What runs in a sandbox as its owner could open it.
func Closed(path string, err error) string {
	if !errors.Is(err, syscall.EACCES) {
		return ""
	}
	for {
		if st, err := os.Stat(path); err == nil {
			if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) == os.Geteuid() && st.IsDir() {
				return path
			}
			return ""
		}
		if path == "/" || path == "." {
			return ""
		}
		path = filepath.Dir(path)
	}
}

var errClosed = errors.New("permission denied, which its owner can change, in the sandbox too")

// Glob returns the paths that match a pattern, as filepath.Match has it, in no
// certain order. It is an error where it cannot be told which do.
func Glob(pattern string) ([]string, error) {
	return GlobClosed(pattern, func(dir string) error {
		return &fs.PathError{Op: "open", Path: dir, Err: errClosed}
	})
}

// GlobClosed is Glob that calls closed with each directory of the caller's that it
// cannot look into.
func GlobClosed(pattern string, closed func(dir string) error) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		return lstat(pattern, closed)
	}
	dir, file := filepath.Split(pattern)
	if len(dir) > 1 {
		dir = strings.TrimSuffix(dir, "/")
	}
	if file == "" {
		return nil, nil
	}
	dirs := []string{dir}
	if strings.ContainsAny(dir, `*?[\`) {
		var err error
		if dirs, err = GlobClosed(dir, closed); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, dir := range dirs {
		paths, err := matches(dir, file, closed)
		if err != nil {
			return nil, err
		}
		out = append(out, paths...)
	}
	return out, nil
}

func lstat(path string, closed func(dir string) error) ([]string, error) {
	_, err := os.Lstat(path)
	if err == nil {
		return []string{path}, nil
	}
	return nil, unseen(path, err, closed)
}

// unseen is the error of a path that could not be looked at, nil if it is as if it were
// not there.
func unseen(path string, err error, closed func(dir string) error) error {
	if dir := Closed(path, err); dir != "" {
		return closed(dir)
	}
	if Unseen(err) {
		return nil
	}
	return err
}

// matches returns the files of a directory whose names match.
func matches(dir, pattern string, closed func(dir string) error) (out []string, err error) {
	if !strings.ContainsAny(pattern, `*?[\`) { // there also where the directory may only be searched
		return lstat(filepath.Join(dir, pattern), closed)
	}
	st, err := os.Stat(dir)
	if err != nil {
		return nil, unseen(dir, err, closed)
	}
	if !st.IsDir() {
		return nil, nil
	}
	d, err := os.Open(dir)
	if err == nil {
		defer d.Close()
		_, err = os.Stat(dir + "/.") // it may be that it can be listed and not searched
	}
	if err == nil {
		var names []string
		names, err = d.Readdirnames(-1)
		for _, name := range names {
			if ok, _ := filepath.Match(pattern, name); ok {
				out = append(out, filepath.Join(dir, name))
			}
		}
	}
	if err != nil {
		err = unseen(dir, err, closed)
	}
	return out, err
}
