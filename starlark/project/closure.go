package project

// Closure: a script and all the files it loads, read once, so that what was
// digested is what is evaluated.

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/starlark/eval"
)

// File is one file of a closure.
type File struct {
	Path string
	Text []byte
	Err  error // it could not be read
}

// Closure is a script, first, and the files that it loads, in the order in which
// they are named. Modules of the standard library are not among them.
type Closure struct {
	Files []File
	Err   error // of the script itself, or of too many files
}

// Bounds of a closure.
const (
	maxFiles   = 1000
	maxClosure = 64 << 20
)

// NewClosure reads the script at path and all it loads. What a script loads
// stands in its text, so nothing is evaluated.
func NewClosure(path string) *Closure {
	c := &Closure{}
	seen := map[string]bool{}
	total := 0
	for todo := []string{filepath.Clean(path)}; len(todo) > 0; todo = todo[1:] {
		if seen[todo[0]] {
			continue
		}
		seen[todo[0]] = true
		f := File{Path: todo[0]}
		f.Text, f.Err = careful{eval.OS{}}.ReadFile(f.Path, eval.MaxSource)
		c.Files = append(c.Files, f)
		if total += len(f.Text); total > maxClosure || len(c.Files) > maxFiles {
			c.Err = errors.New("it loads more than " + strconv.Itoa(maxFiles) + " files or " + strconv.Itoa(maxClosure>>20) + " MiB")
			return c
		}
		if f.Err == nil {
			todo = append(todo, eval.Loads(f.Path, f.Text)...)
		}
	}
	c.Err = c.Files[0].Err
	return c
}

// Digest returns the SHA-256, in hexadecimal, of the names and contents of all files.
func (c *Closure) Digest() string {
	h := sha256.New()
	for _, f := range c.Files {
		sum := sha256.Sum256(f.Text)
		state := "read"
		if f.Err != nil {
			state = "unreadable"
		}
		h.Write([]byte(strconv.Quote(f.Path) + " " + state + " " + hex.EncodeToString(sum[:]) + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// entry returns the SHA-256 of the script itself.
func (c *Closure) entry() string {
	sum := sha256.Sum256(c.Files[0].Text)
	return hex.EncodeToString(sum[:])
}

// content is Digest wherever the directory is: its own files go by their names in it.
func (c *Closure) content(dir string) string {
	moved := Closure{Files: slices.Clone(c.Files)}
	for i := range moved.Files {
		if f := &moved.Files[i]; plan.Within(f.Path, dir) {
			f.Path = strings.TrimPrefix(strings.TrimPrefix(f.Path, dir), "/")
		}
	}
	return moved.Digest()
}

// outside reports whether any of the files is not one of the directory's own.
func (c *Closure) outside(dir string) bool {
	for _, f := range c.Files {
		real, err := filepath.EvalSymlinks(f.Path)
		if err != nil || !plan.Within(real, dir) {
			return true
		}
	}
	return false
}

// pinned is a host on which the files of a closure are as they were read.
type pinned struct {
	eval.Host
	files *Closure
}

// ReadFile implements eval.Host.
func (p pinned) ReadFile(path string, limit int64) ([]byte, error) {
	for _, f := range p.files.Files {
		if f.Path == path {
			return f.Text, f.Err
		}
	}
	return p.Host.ReadFile(path, limit)
}

// careful is a host on which only regular files are opened: merely opening a
// device may do something.
type careful struct{ eval.Host }

// ReadFile implements eval.Host.
func (c careful) ReadFile(path string, limit int64) ([]byte, error) {
	if mode, err := c.Host.Stat(path); err != nil {
		return nil, err
	} else if !mode.IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	return c.Host.ReadFile(path, limit)
}

// blind is a host that shows nothing, and tells whether anything was looked at.
// A script from anyone sees it: what it found could reach the sandbox by way of
// which of the project's files are masked.
type blind struct {
	eval.Host // for the working directory, the ids and the machine, which are no secrets
	looked    *bool
}

var errBlind = errors.New("the script is not trusted")

func (b blind) look() error { *b.looked = true; return errBlind }

func (b blind) LookupEnv(string) (string, bool)             { b.look(); return "", false }
func (b blind) Environ() []string                           { b.look(); return nil }
func (b blind) Stat(string) (fs.FileMode, error)            { return 0, b.look() }
func (b blind) ReadFile(string, int64) ([]byte, error)      { return nil, b.look() }
func (b blind) Glob(string) ([]string, error)               { return nil, b.look() }
func (b blind) Realpath(string) (string, error)             { return "", b.look() }
func (b blind) Readlink(string) (string, error)             { return "", b.look() }
func (b blind) Symlinks(string, int, int) ([]string, error) { return nil, b.look() }
