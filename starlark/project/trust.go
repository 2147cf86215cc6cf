package project

// Trust: which projects' files may count, by the digest of what they are made of.

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// Record is one entry of the trust store: this file of that project, as it was.
type Record struct {
	Version int    `json:"version"`
	Project string `json:"project"` // canonical path
	Digest  string `json:"digest"`  // Closure.Digest of its file
	Reads   string `json:"reads"`   // of what the script read of the project, or empty
}

const recordVersion = 1

// Store is the trust store: a directory with a file for each trusted project.
type Store struct{ Dir string }

// Store returns the trust store.
func (p Places) Store() Store { return Store{filepath.Join(p.State, "trust")} }

func (s Store) name(project string) string {
	sum := sha256.Sum256([]byte(project))
	return filepath.Join(s.Dir, hex.EncodeToString(sum[:])+".json")
}

// Get returns the record of a project; nil: it is not trusted. A store that
// anybody else could write to is no store.
func (s Store) Get(project string) (*Record, error) {
	name := s.name(project)
	for _, path := range []string{s.Dir, name} {
		st, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && (sys.Uid != uint32(os.Geteuid()) || st.Mode()&0o022 != 0) {
			return nil, fmt.Errorf("%q can be written by others", path)
		}
	}
	b, err := eval.OS{}.ReadFile(name, 1<<20)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil || r.Version != recordVersion || r.Project != project {
		return nil, fmt.Errorf("%q is no record of trust in %q", name, project)
	}
	return &r, nil
}

// Put enters a record.
func (s Store) Put(r Record) error {
	r.Version = recordVersion
	return putJSON(s.name(r.Project), r)
}

// putJSON writes a file whole or not at all, for nobody else to read.
func putJSON(name string, v any) (err error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}

// Remove forgets a project, and reports whether it was known.
func (s Store) Remove(project string) (bool, error) {
	err := os.Remove(s.name(project))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// List returns all records, those of projects that are gone as well.
func (s Store) List() ([]Record, error) {
	list, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Record
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		var r Record
		b, err := eval.OS{}.ReadFile(filepath.Join(s.Dir, e.Name()), 1<<20)
		if err == nil && json.Unmarshal(b, &r) == nil && s.name(r.Project) == filepath.Join(s.Dir, e.Name()) {
			out = append(out, r)
		}
	}
	return out, nil
}

// reads returns the digest of what a plan's scripts read of a directory's files
// and links, beside the files of the closure: who can write there could change
// by it what a trusted script does. "": nothing.
func reads(p *plan.Plan, dir string, c *Closure) string {
	h := sha256.New()
	any := false
	for _, in := range p.Inputs {
		switch in.Kind {
		case "file", "realpath", "readlink":
		default:
			continue
		}
		path := filepath.Clean(string(in.Name))
		own := path == dir
		for _, f := range c.Files {
			own = own || f.Path == path && in.Kind == "file"
		}
		if !own && within(path, dir) {
			any = true
			fmt.Fprintf(h, "%s %q %q\n", in.Kind, path, in.Value)
		}
	}
	if !any {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// NewRecord returns the record that trusts what a result was evaluated from.
func (r *Result) NewRecord() Record {
	return Record{Project: r.Dir, Digest: r.Files.Digest(), Reads: reads(r.Plan, r.Dir, r.Files)}
}

// addUntrusted evaluates the project's file if it may count. l has the layers
// below it; what is returned takes its place.
func (r *run) addUntrusted(l *eval.Layers, user []byte) (*eval.Layers, error) {
	no := func(hint, format string, args ...any) (*eval.Layers, error) {
		at := plan.Origin{}
		return l, plan.Diagnostics{{At: at, Msg: fmt.Sprintf("%q ", r.shortName()) + fmt.Sprintf(format, args...), Hint: hint}}
	}
	trust := "sbx trust"
	if r.o.Dir != "" {
		trust += " " + r.o.Dir
	}
	hint := fmt.Sprintf("%q shows what it does, and trusts it; --ignore-project-config does without it", trust)

	if r.o.Trust {
		without := r.begin(user)
		defer without.Close()
		// What is wrong without the file is wrong with it, and told there.
		if p, err := r.settle(without); err == nil && r.guard(p) == nil {
			r.Without = p
		}
		r.addProject(l, careful{r.host()})
		return l, nil
	}
	why := ""
	if r.trustedTop != "" {
		var err error
		if why, err = r.suspect(r.trustedTop); err != nil {
			return no(hint, "cannot be trusted: %v", err)
		}
		if why == "" {
			r.Project = InTrusted
			r.addProject(l, nil)
			return l, nil
		}
	}
	changed := false
	if r.State != "" {
		rec, err := r.Store().Get(r.Dir)
		if err != nil {
			return no(hint, "cannot be trusted: %v", err)
		}
		if rec != nil && rec.Digest == r.Files.Digest() {
			r.Project = Trusted
			r.addProject(l, nil)
			if !l.Faults().HasErrors() && reads(l.Plan(), r.Dir, r.Files) != rec.Reads {
				return no(hint, "reads files of the project that have changed since it was trusted")
			}
			return l, nil
		}
		changed = rec != nil
	}
	if !r.Files.outside(r.Dir) {
		with, ok := r.tightens(l, user)
		if ok {
			r.Project = Tightens
			return with, nil
		}
	}
	switch {
	case why != "":
		return no(hint, "is in a trusted directory, but it %s", why)
	case changed:
		return no(hint, "has changed since it was trusted, or a file that it loads has")
	}
	return no(hint, "is not trusted, and it opens the sandbox further than it is without")
}
