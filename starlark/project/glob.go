package project

// Patterns of excluded paths.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sbx/starlark/eval"
)

// maxWalk bounds how many files a pattern with ** goes through.
const maxWalk = 1_000_000

var errWhole = errors.New("it goes through all the host's files")

// expand returns the paths that a pattern means now. What exists by the very
// name, path, is that; else *, ? and […] match within a name, and ** any number
// of directories, not following symlinks. A directory of the user's own that cannot be
// looked into is meant as a whole: what runs in the sandbox could open it.
func expand(path, pattern string) (out []string, err error) {
	closed := func(dir string) error {
		out = append(out, dir)
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return []string{path}, nil
	} else if dir := eval.Closed(path, err); dir != "" {
		return []string{dir}, nil
	} else if !eval.Unseen(err) {
		return nil, err
	}
	if !strings.ContainsAny(pattern, `*?[`) {
		return nil, nil
	}
	i := strings.Index(pattern+"/", "/**/")
	switch {
	case i < 0:
		paths, err := eval.GlobClosed(pattern, closed)
		return append(out, paths...), err
	case i == 0:
		return nil, errWhole
	}
	rest := strings.TrimPrefix(pattern[i+3:], "/")
	if _, err := filepath.Match(rest, ""); err != nil {
		return nil, err
	}
	roots, err := eval.GlobClosed(pattern[:i], closed)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	n := 0
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if n++; n > maxWalk {
				return errors.New("there are more than " + strconv.Itoa(maxWalk) + " files to go through")
			}
			if err != nil && !eval.Unseen(err) {
				return err
			}
			if err != nil { // what may not be read cannot be told of either
				if dir := eval.Closed(path, err); dir != "" {
					closed(dir)
				}
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if d.IsDir() { // it may be that it can be listed and not searched
				_, err := os.Stat(path + "/.")
				if dir := eval.Closed(path, err); dir != "" {
					closed(dir)
					return fs.SkipDir
				}
			}
			switch {
			case rest == "":
				if path != root {
					out = append(out, path)
					if d.IsDir() {
						return fs.SkipDir
					}
				}
				return nil
			case !d.IsDir():
				return nil
			}
			// One directory for **; the rest of the pattern from there.
			list, err := expand(path+"/"+rest, escape(path)+"/"+rest)
			for _, p := range list {
				if !seen[p] {
					seen[p] = true
					out = append(out, p)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// escape returns a pattern that matches just the path.
func escape(path string) string {
	if !strings.ContainsAny(path, `*?[\`) {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if strings.IndexByte(`*?[\`, path[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
