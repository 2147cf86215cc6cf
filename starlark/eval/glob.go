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

// Glob returns the paths that match a pattern, as filepath.Match has it, in no
// certain order. It is an error where it cannot be told which do.
func Glob(pattern string) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		return lstat(pattern)
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
		if dirs, err = Glob(dir); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, dir := range dirs {
		paths, err := matches(dir, file)
		if err != nil {
			return nil, err
		}
		out = append(out, paths...)
	}
	return out, nil
}

func lstat(path string) ([]string, error) {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return []string{path}, nil
	case Unseen(err):
		return nil, nil
	default:
		return nil, err
	}
}

// matches returns the files of a directory whose names match.
func matches(dir, pattern string) (out []string, err error) {
	if !strings.ContainsAny(pattern, `*?[\`) { // there also where the directory may only be searched
		return lstat(filepath.Join(dir, pattern))
	}
	st, err := os.Stat(dir)
	if err != nil || !st.IsDir() {
		if err != nil && Unseen(err) {
			err = nil
		}
		return nil, err
	}
	d, err := os.Open(dir)
	if err == nil {
		defer d.Close()
		var names []string
		names, err = d.Readdirnames(-1)
		for _, name := range names {
			if ok, _ := filepath.Match(pattern, name); ok {
				out = append(out, filepath.Join(dir, name))
			}
		}
	}
	if err != nil && !Unseen(err) {
		return nil, err
	}
	return out, nil
}
