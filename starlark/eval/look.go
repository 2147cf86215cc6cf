package eval

// The functions that look at the files of the host.

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"go.starlark.net/starlark"

	"sbx/engine/sha256"
)

// maxRead is the largest file that read() takes.
const maxRead = 16 << 20

// hostPath returns argument 0 as an absolute path of the host.
func (c *call) hostPath() (string, error) {
	p := string(c.str(0))
	name := "argument " + quote(c.b.spec.args[0].name)
	switch {
	case p == "":
		return "", wrong(name+" is empty", "")
	case strings.IndexByte(p, 0) >= 0:
		return "", wrong(name+" is "+quote(p)+", which holds a NUL byte", "")
	case p == "~" || strings.HasPrefix(p, "~/"):
		return "", wrong(name+" is "+quote(p)+", which is not absolute", "write host.home + "+quote(p[1:]))
	case p[0] != '/':
		return "", wrong(name+" is "+quote(p)+", which is not absolute", "write script.dir + "+quote("/"+p))
	}
	return p, nil
}

// look records what a path is, and returns its mode and whether it is there. Where
// that cannot be told, no answer would be safe: what a script does not see it does not
// hide.
func (c *call) look(path string) (mode fs.FileMode, there bool, err error) {
	mode, err = c.ev.opt.Host.Stat(path)
	what := "file"
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno) && !Unseen(err):
		return 0, false, wrong("cannot look at "+quote(path)+": "+errText(err), "")
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		what = "missing"
	case err != nil:
		what = errText(err)
	case mode.IsDir():
		what = "dir"
	case !mode.IsRegular():
		what = "other"
	}
	c.ev.record("path", path, what)
	return mode, err == nil, nil
}

func fnExists(c *call) (starlark.Value, error) {
	path, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	_, there, err := c.look(path)
	return starlark.Bool(there), err
}

func fnIsDir(c *call) (starlark.Value, error) {
	path, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	mode, there, err := c.look(path)
	return starlark.Bool(there && mode.IsDir()), err
}

func fnGlob(c *call) (starlark.Value, error) {
	pattern, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	if strings.Contains(pattern, "**") {
		return nil, wrong("pattern "+quote(pattern)+" holds \"**\"", "a * matches within one directory; write one for each level")
	}
	paths, err := c.ev.opt.Host.Glob(pattern)
	var at *fs.PathError
	if errors.As(err, &at) {
		return nil, wrong("cannot look at "+quote(at.Path)+": "+errText(err), "")
	}
	if err != nil {
		return nil, wrong("pattern "+quote(pattern)+" is malformed", "a [ needs its ]")
	}
	slices.Sort(paths)
	c.ev.record("glob", pattern, digestList(paths))
	return stringList(paths), nil
}

func fnRead(c *call) (starlark.Value, error) {
	path, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	b, err := c.ev.opt.Host.ReadFile(path, maxRead)
	if err != nil && c.v[1] != nil {
		c.ev.record("file", path, "")
		return c.v[1], nil
	}
	if err != nil {
		return nil, wrong("cannot read "+quote(path)+": "+errText(err), "")
	}
	c.ev.record("file", path, digest(b))
	return starlark.String(b), nil
}

func fnRealpath(c *call) (starlark.Value, error) {
	path, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	real, err := c.ev.opt.Host.Realpath(path)
	if err != nil {
		return nil, wrong("cannot resolve "+quote(path)+": "+errText(err), "")
	}
	c.ev.record("realpath", path, real)
	return starlark.String(real), nil
}

func fnReadlink(c *call) (starlark.Value, error) {
	path, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	text, err := c.ev.opt.Host.Readlink(path)
	if err != nil {
		c.ev.record("readlink", path, "")
		return starlark.None, nil
	}
	c.ev.record("readlink", path, text)
	return starlark.String(text), nil
}

// maxLinks is how many links symlinks() returns.
const maxLinks = 10_000

func fnSymlinks(c *call) (starlark.Value, error) {
	dir, err := c.hostPath()
	if err != nil {
		return nil, err
	}
	depth := int64(1)
	if c.given(1) {
		if depth, err = c.int(1, 1, 64); err != nil {
			return nil, err
		}
	}
	paths, err := c.ev.opt.Host.Symlinks(dir, int(depth), maxLinks+1)
	switch {
	case err != nil:
		return nil, wrong("cannot list "+quote(dir)+": "+errText(err), "")
	case len(paths) > maxLinks:
		return nil, wrong(quote(dir)+" holds more than "+strconv.Itoa(maxLinks)+" symbolic links", "take a smaller depth")
	}
	slices.Sort(paths)
	c.ev.record("symlinks", dir, digestList(paths))
	return stringList(paths), nil
}

// digestList is the digest of a list of paths.
func digestList(paths []string) string {
	h := sha256.New()
	for _, p := range paths {
		h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func fnWhich(c *call) (starlark.Value, error) {
	name := string(c.str(0))
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return nil, wrong("argument \"name\" is "+quote(name)+", which is no program", "")
	}
	found := ""
	if strings.IndexByte(name, '/') >= 0 {
		if name[0] != '/' {
			return nil, wrong("argument \"name\" is "+quote(name)+", which is not absolute", "give the bare name, or an absolute path")
		}
		if c.ev.runnable(name) {
			found = name
		}
	} else {
		path, _ := c.ev.opt.Host.LookupEnv("PATH")
		for _, dir := range strings.Split(path, ":") {
			// What a relative entry names depends on the working directory.
			if strings.HasPrefix(dir, "/") && c.ev.runnable(filepath.Join(dir, name)) {
				found = filepath.Join(dir, name)
				break
			}
		}
	}
	c.ev.record("which", name, found)
	if found == "" {
		return starlark.None, nil
	}
	return starlark.String(found), nil
}

func (ev *evaluator) runnable(path string) bool {
	mode, err := ev.opt.Host.Stat(path)
	return err == nil && mode.IsRegular() && mode&0o111 != 0
}
