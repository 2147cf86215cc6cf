package project

// Seen: what stands between directories that are always trusted and the sandboxes
// that could write the configuration which the next one trusts.

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/starlark/eval"
)

// Seen is what a directory that a sandbox can write had for a project's
// configuration when one last began. What that sandbox could have written since
// is not trusted for the sake of the place where it is.
type Seen struct {
	Version int      `json:"version"`
	Project plan.Str `json:"project"` // canonical path
	Dir     string   `json:"dir"`     // the directory's identity, by which it is known after it was moved
	Entry   string   `json:"entry"`   // SHA-256 of the project's file, or empty: there was none
	Content string   `json:"content"` // of it and of all that it loads, wherever the project is; or empty
	// Fixed says that the file was read-only in the sandbox, and had no other name.
	// That ends where somebody outside puts another File in its place: then no sandbox
	// that was Open is beyond suspicion.
	Fixed bool     `json:"fixed"`
	File  string   `json:"file,omitempty"`
	Open  []string `json:"open,omitempty"` // sandboxes that have begun and are not known to have ended
	// Adds is what the file, where it Counted, added to the sandboxes that began since it changed.
	Counted bool       `json:"counted"`
	Adds    []Addition `json:"adds,omitempty"`
}

// seenNow returns what a directory has now.
func seenNow(dir string, files *Closure) *Seen {
	s := &Seen{Version: recordVersion, Project: plan.Str(dir), Dir: identity(dir)}
	path := filepath.Join(dir, FileName)
	st, err := os.Lstat(path)
	if err != nil {
		return s
	}
	if files == nil || files.Files[0].Path != path { // another counts, or none
		files = NewClosure(path)
	}
	s.Entry, s.Content, s.File = files.entry(), files.content(dir), identity(path)
	s.Fixed = st.Mode().IsRegular() && st.Sys().(*syscall.Stat_t).Nlink == 1
	return s
}

// note returns what is to be noted of the project before its sandbox begins; nil:
// nothing is. What might have been written by an earlier one stays noted as it was.
func (r *run) note() (*Seen, error) {
	if !r.trusting || r.State == "" {
		return nil, nil
	}
	now := seenNow(r.Dir, r.Files)
	old, err := r.Store().known(r.Dir)
	if err != nil {
		return nil, err
	}
	if old != nil {
		now.Open = old.Open
	}
	switch r.Project {
	case InTrusted, Trusted, Absent:
		now.Counted, now.Adds = r.Project != Absent, r.Adds
		if old != nil && !old.Fixed && r.Project == InTrusted {
			now.Fixed = false // one that could write it may still be there
		}
		return now, nil
	}
	if old != nil && old.judge(now) != "" {
		// It stays so: what was there counts.
		v := *old
		v.Project, v.Dir = now.Project, now.Dir
		return &v, nil
	}
	if old != nil {
		now.Fixed = now.Fixed && old.Fixed
		if now.Content == old.Content {
			now.Counted, now.Adds = old.Counted, old.Adds
		}
		return now, nil
	}
	if v, err := r.suspect(); err != nil {
		return nil, err
	} else if v.why != "" { // as if there was none
		now.Entry, now.Content = "", ""
	}
	return now, nil
}

// NoteWritable notes that a sandbox can write directories that are not its
// project. Where nothing speaks for directories that are always trusted it
// does nothing.
func (p Places) NoteWritable(dirs []string) error {
	s := p.Store()
	if p.State == "" || missing(s.seenDir()) && (p.Config == "" || missing(filepath.Join(p.Config, "project.star"))) {
		return nil
	}
	for _, dir := range dirs {
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue
		}
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			continue
		}
		v, err := s.known(dir)
		if err != nil {
			return err
		}
		if v == nil || string(v.Project) != dir {
			w := seenNow(dir, nil)
			if v != nil {
				w.Entry, w.Content = v.Entry, v.Content
			}
			v = w
		}
		v.Fixed = false
		if err := s.PutSeen(v); err != nil {
			return err
		}
	}
	return nil
}

// trustedDir returns the directory among those that the user's file trusts that
// the project lies in, canonical, or "".
func (r *run) trustedDir(dirs []Value) string {
	top := ""
	r.trusting = len(dirs) > 0
	for _, v := range dirs {
		path, _, err := r.path(v)
		if err != nil {
			continue // told by settle
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		r.trustedDirs = append(r.trustedDirs, real)
		if plan.Within(r.Dir, real) && (top == "" || plan.Within(top, real)) {
			top = real // the outermost
		}
	}
	return top
}

// verdict is what is known of a project's file that is to be trusted for the sake
// of its place.
type verdict struct {
	why  string     // it may have been written by what runs in a sandbox; "": not so
	same bool       // it is as it was when a sandbox last began,
	adds []Addition // to which it added that
}

// suspect looks into whether the project's file may have been written by what
// runs in a sandbox.
func (r *run) suspect() (verdict, error) {
	s := r.Store()
	for dir := filepath.Dir(r.Dir); dir != "/"; dir = filepath.Dir(dir) {
		if v, err := s.known(dir); err != nil {
			return verdict{}, err
		} else if v != nil {
			return verdict{why: "lies in a project that was sandboxed"}, nil
		}
	}
	now := seenNow(r.Dir, r.Files)
	old, err := s.known(r.Dir)
	if err != nil {
		return verdict{}, err
	}
	if old != nil {
		v := verdict{why: old.judge(now)}
		v.same = v.why == "" && old.Content == now.Content && string(old.Project) == r.Dir && old.Counted
		v.adds = old.Adds
		return v, nil
	}
	// It is here for the first time. Where does it come from?
	why, err := s.origin(now)
	return verdict{why: why}, err
}

// judge returns why what is there now may be the work of a sandbox, or "".
func (v *Seen) judge(now *Seen) string {
	switch {
	case now.Content == v.Content:
		return ""
	case v.Entry == "":
		return "has appeared since a sandbox was made of the project"
	case now.Entry == v.Entry:
		return "loads files that have changed since a sandbox was made of the project"
	case !v.Fixed:
		return "has changed since a sandbox was made of the project"
	case len(v.Open) > 0 && v.File != now.File:
		return "was replaced when a sandbox of the project may have been running, from where it could be changed then"
	}
	return "" // the sandbox could not have changed it
}

// maxSearch bounds how many files of one directory are gone through for where a
// file comes from.
const maxSearch = 50_000

// origin looks for the same file in the directories that sandboxes can write, and
// returns why the one there would not be trusted; "": there is none.
func (s Store) origin(now *Seen) (string, error) {
	if now.Entry == "" {
		return "", nil
	}
	list, err := os.ReadDir(s.seenDir())
	if err != nil && !absent(err) {
		return "", err
	}
	why := ""
	for _, e := range list {
		v, err := s.read(filepath.Join(s.seenDir(), e.Name()))
		if err != nil || v == nil || s.seenName(string(v.Project)) != filepath.Join(s.seenDir(), e.Name()) {
			continue // it is not by its path
		}
		n := 0
		err = filepath.WalkDir(string(v.Project), func(path string, d fs.DirEntry, err error) error {
			if n++; n > maxSearch {
				return fs.SkipAll
			}
			if err != nil || d.Name() != FileName || d.IsDir() {
				return nil
			}
			dir := filepath.Dir(path)
			there := seenNow(dir, nil)
			if there.Entry != now.Entry {
				return nil
			}
			what := "lies in a project that was sandboxed"
			if dir == string(v.Project) {
				what = v.judge(there)
			}
			if rec, err := s.Get(dir); what == "" || err == nil && rec != nil && rec.Digest == NewClosure(path).Digest() {
				return nil
			}
			why = fmt.Sprintf("is the same as %q, which %s", path, what)
			return fs.SkipAll
		})
		if why != "" {
			return why, nil
		}
		if err != nil && !absent(err) {
			return "", err
		}
	}
	return "", nil
}

func (s Store) seenDir() string { return filepath.Join(filepath.Dir(s.Dir), "seen") }

func (s Store) seenName(project string) string { return s.seenFile("", project) }

func (s Store) seenFile(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + name))
	return filepath.Join(s.seenDir(), hex.EncodeToString(sum[:])+".json")
}

// known returns what is noted of a directory under this path, or else of the same
// directory under another, or nil.
func (s Store) known(dir string) (*Seen, error) {
	v, err := s.GetSeen(dir)
	if v != nil || err != nil {
		return v, err
	}
	id := identity(dir)
	if id == "" {
		return nil, nil
	}
	moved, err := s.read(s.seenFile("dir ", id))
	if moved == nil || moved.Dir != id {
		return nil, err
	}
	// That only tells where it was, unless another has taken its place.
	if v, err = s.GetSeen(string(moved.Project)); v == nil || v.Dir != id {
		return moved, err
	}
	return v, nil
}

// GetSeen returns what is noted of a project, or nil.
func (s Store) GetSeen(project string) (*Seen, error) { return s.read(s.seenName(project)) }

func (s Store) read(name string) (*Seen, error) {
	b, err := eval.OS{}.ReadFile(name, maxRecord)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var v Seen
	if len(b) == 0 { // the machine failed: whatever it was, nothing is beyond suspicion
		return &v, nil
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return &v, nil
}

// Begin notes what a project has as a sandbox of it begins, which End has to name
// as sandbox does here. alive reports whether another one still runs.
func (s Store) Begin(v *Seen, sandbox string, alive func(string) bool) error {
	return s.locked(func() error {
		w := *v
		if old, err := s.GetSeen(string(v.Project)); err == nil && old != nil {
			w.Open = old.Open // by now
		}
		w.Open = slices.DeleteFunc(slices.Clone(w.Open), func(o string) bool { return o == sandbox || !alive(o) })
		w.Open = append(w.Open, sandbox)
		return s.put(&w, true)
	})
}

// End notes that a sandbox of a project has ended, or, where next is not empty,
// that it is known by that name from now on.
func (s Store) End(project, sandbox, next string) error {
	if missing(s.seenName(project)) {
		return nil
	}
	return s.locked(func() error {
		v, err := s.GetSeen(project)
		if v == nil || err != nil {
			return err
		}
		i := slices.Index(v.Open, sandbox)
		switch {
		case i < 0:
			return nil
		case next != "":
			v.Open[i] = next
		case v.File != identity(filepath.Join(project, FileName)):
			return nil // it may have changed what was put there
		default:
			v.Open = slices.Delete(v.Open, i, i+1)
		}
		return s.put(v, next != "")
	})
}

// locked calls f while no other process does so.
func (s Store) locked(f func() error) error {
	if err := os.MkdirAll(s.seenDir(), 0o700); err != nil {
		return err
	}
	d, err := os.Open(s.seenDir())
	if err != nil {
		return err
	}
	defer d.Close()
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return err
	}
	return f()
}

// PutSeen notes what a project has.
func (s Store) PutSeen(v *Seen) error { return s.put(v, true) }

// put is PutSeen. Without sync a failure of the machine may undo it.
func (s Store) put(v *Seen, sync bool) error {
	old, err := s.GetSeen(string(v.Project))
	switch {
	case err != nil || old == nil:
	case marshal(old) == marshal(v):
		return nil
	case old.Dir != "" && old.Dir != v.Dir: // which may be elsewhere
		if err := putJSON(s.seenFile("dir ", old.Dir), old, true); err != nil {
			return err
		}
	}
	if v.Dir != "" {
		to := Seen{Version: recordVersion, Project: v.Project, Dir: v.Dir}
		name := s.seenFile("dir ", v.Dir)
		if old, err := s.read(name); err != nil || old == nil || marshal(old) != marshal(&to) {
			if err := putJSON(name, &to, true); err != nil {
				return err
			}
		}
	}
	return putJSON(s.seenName(string(v.Project)), v, sync)
}
