package verbs

// Writing a bundle for container runtimes.

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sbx/engine/argv/oci"
)

// writeBundle makes the directory dir, which does not exist or is empty, with all
// that b holds, or leaves nothing.
func writeBundle(dir string, b *oci.Bundle) (err error) {
	config, err := b.Spec.JSON()
	if err != nil {
		return err
	}
	fail := func(err error) error { return misuse("cannot write the bundle: "+couldNot(err), "") }
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return misuse(fmt.Sprintf("cannot write the bundle: %q is not empty", dir), "name a directory that does not exist")
	} else if err != nil && !os.IsNotExist(err) {
		return fail(err)
	}
	dir = filepath.Clean(dir)
	made, err := os.MkdirTemp(filepath.Dir(dir), ".sbx-bundle-")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err != nil {
			unlock(made)
			os.RemoveAll(made)
		}
	}()
	if err = os.Chmod(made, 0o755); err != nil {
		return fail(err)
	}
	if err = os.WriteFile(filepath.Join(made, "config.json"), config, 0o644); err != nil {
		return fail(err)
	}
	root, err := os.OpenRoot(made) // nothing in it leads out of it
	if err != nil {
		return fail(err)
	}
	defer root.Close()
	for _, e := range b.Entries {
		if err = writeEntry(root, e); err != nil {
			return fail(err)
		}
	}
	// Modes come last, innermost first: they may forbid to go in.
	var dirs []oci.Entry
	for _, e := range b.Entries {
		if e.Kind == oci.EntryDir {
			dirs = append(dirs, e)
		}
	}
	slices.SortStableFunc(dirs, func(x, y oci.Entry) int { return strings.Count(y.Path, "/") - strings.Count(x.Path, "/") })
	for _, e := range dirs {
		if err = root.Chmod(e.Path, fileMode(e.Mode)); err != nil {
			return fail(err)
		}
	}
	if err = os.Remove(dir); err != nil && !os.IsNotExist(err) { // an empty one
		return fail(err)
	}
	if err = os.Rename(made, dir); err != nil {
		return fail(err)
	}
	return nil
}

// writeEntry makes one entry.
func writeEntry(root *os.Root, e oci.Entry) error {
	parent := e.Path
	if e.Kind != oci.EntryDir {
		parent = filepath.Dir(e.Path)
	}
	if err := root.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	switch e.Kind {
	case oci.EntrySymlink:
		return root.Symlink(e.Data, e.Path)
	case oci.EntryFile:
		var from io.Reader = strings.NewReader(e.Data)
		if e.From != "" {
			f, err := os.Open(e.From)
			if err != nil {
				return err
			}
			defer f.Close()
			from = f
		}
		f, err := root.OpenFile(e.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if _, err = io.Copy(f, from); err == nil {
			err = f.Chmod(fileMode(e.Mode))
		}
		if err2 := f.Close(); err == nil {
			err = err2
		}
		return err
	}
	return nil
}

// fileMode returns all twelve bits of a mode as package os has them.
func fileMode(mode uint32) os.FileMode {
	m := os.FileMode(mode & 0o777)
	if mode&0o4000 != 0 {
		m |= os.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= os.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= os.ModeSticky
	}
	return m
}

// unlock makes directories writable, so that they can be removed.
func unlock(dir string) {
	filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(name, 0o700)
		}
		return nil
	})
}
