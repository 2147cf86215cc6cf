package project

// Seen: what stands between directories that are always trusted and the sandboxes
// in them, which could write the configuration that the next one trusts.

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sbx/starlark/eval"
)

// Seen is what a project in a trusted directory had for a configuration file
// when a sandbox of it last began. What that sandbox could have written since
// is not trusted for the directory's sake.
type Seen struct {
	Version int    `json:"version"`
	Project string `json:"project"` // canonical path
	Entry   string `json:"entry"`   // SHA-256 of the project's file, or empty: there was none
	Fixed   bool   `json:"fixed"`   // the file was read-only in the sandbox, and had no other name
	Digest  string `json:"digest"`  // Closure.Digest, or empty
}

// seen returns what there is now, of the project's own file.
func (r *run) seen() *Seen {
	s := &Seen{Version: recordVersion, Project: r.Dir}
	path := filepath.Join(r.Dir, FileName)
	st, err := os.Lstat(path)
	if err != nil {
		return s
	}
	files := r.Files
	if files == nil || files.Files[0].Path != path { // another counts, or none
		files = NewClosure(path)
	}
	sum := sha256.Sum256(files.Files[0].Text)
	s.Entry, s.Digest = hex.EncodeToString(sum[:]), files.Digest()
	s.Fixed = st.Mode().IsRegular() && st.Sys().(*syscall.Stat_t).Nlink == 1
	return s
}

// note returns what is to be noted of the project before its sandbox begins, or
// nil: what might have been written by an earlier one stays noted as it was.
func (r *run) note() (*Seen, error) {
	if r.trustedTop == "" || r.State == "" {
		return nil, nil
	}
	switch r.Project {
	case InTrusted, Trusted, Absent:
		return r.seen(), nil
	}
	old, err := r.Store().GetSeen(r.Dir)
	if err != nil || old != nil {
		return nil, err
	}
	return r.seen(), nil
}

// trustedDir returns the directory among those that the user's file trusts that
// the project lies in, canonical, or "".
func (r *run) trustedDir(dirs []Value) (string, error) {
	top := ""
	for _, v := range dirs {
		path, _, err := r.path(v)
		if err != nil {
			return "", err
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		r.trustedDirs = append(r.trustedDirs, real)
		if within(r.Dir, real) && (top == "" || within(top, real)) {
			top = real // the outermost
		}
	}
	return top, nil
}

// suspect returns why the file of a project in the trusted directory top may have
// been written by what runs in a sandbox, or "".
func (r *run) suspect(top string) (string, error) {
	for dir := filepath.Dir(r.Dir); within(dir, top) && dir != "/"; dir = filepath.Dir(dir) {
		if s, err := r.Store().GetSeen(dir); err != nil {
			return "", err
		} else if s != nil {
			return "lies in a project that was sandboxed", nil
		}
	}
	old, err := r.Store().GetSeen(r.Dir)
	if err != nil || old == nil {
		return "", err
	}
	now := r.seen()
	switch {
	case old.Entry == "":
		return "has appeared since a sandbox was made of the project", nil
	case now.Digest == old.Digest:
		return "", nil
	case now.Entry == old.Entry:
		return "loads files that have changed since a sandbox was made of the project", nil
	case !old.Fixed:
		return "has changed since a sandbox was made of the project", nil
	}
	return "", nil // the sandbox could not have changed it
}

func (s Store) seenName(project string) string {
	sum := sha256.Sum256([]byte(project))
	return filepath.Join(filepath.Dir(s.Dir), "seen", hex.EncodeToString(sum[:])+".json")
}

// GetSeen returns what is noted of a project, or nil.
func (s Store) GetSeen(project string) (*Seen, error) {
	b, err := eval.OS{}.ReadFile(s.seenName(project), 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var v Seen
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return &v, nil
}

// PutSeen notes what a project had when a sandbox of it began.
func (s Store) PutSeen(v *Seen) error {
	if old, err := s.GetSeen(v.Project); err == nil && old != nil && *old == *v {
		return nil
	}
	return putJSON(s.seenName(v.Project), v)
}
