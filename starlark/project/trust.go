package project

// Trust: which projects' files may count, by the digest of what they are made of.

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/starlark/eval"
)

// Record is one entry of the trust store: this file of that project, as it was.
type Record struct {
	Version int      `json:"version"`
	Project plan.Str `json:"project"` // canonical path
	Digest  string   `json:"digest"`  // Closure.Digest of its file
	// Adds is what the file added to the sandbox.
	Adds []Addition `json:"adds"`
}

const (
	recordVersion = 2
	maxRecord     = 64 << 20 // bytes
)

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
		if absent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && (sys.Uid != uint32(os.Geteuid()) || st.Mode()&0o022 != 0) {
			return nil, fmt.Errorf("%q can be written by others", path)
		}
	}
	b, err := eval.OS{}.ReadFile(name, maxRecord)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil || r.Version < 1 || r.Version > recordVersion || string(r.Project) != project {
		return nil, fmt.Errorf("%q is no record of trust in %q", name, project)
	}
	r.outdate()
	return &r, nil
}

// outdate has a record of an older sbx, which noted less, be of no file.
func (r *Record) outdate() {
	if r.Version < recordVersion {
		r.Digest = ""
	}
}

// Put enters a record.
func (s Store) Put(r Record) error {
	r.Version = recordVersion
	return putJSON(s.name(string(r.Project)), r, true)
}

// putJSON writes a file whole or not at all, for nobody else to read; with sync
// even if the machine fails.
func putJSON(name string, v any, sync bool) (err error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if len(b) >= maxRecord {
		return errors.New("the project's file adds too much to the sandbox")
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
	if err == nil && sync {
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
	if absent(err) {
		return false, nil
	}
	return err == nil, err
}

// List returns all records, those of projects that are gone as well.
func (s Store) List() ([]Record, error) {
	list, err := os.ReadDir(s.Dir)
	if absent(err) {
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
		b, err := eval.OS{}.ReadFile(filepath.Join(s.Dir, e.Name()), maxRecord)
		if err == nil && json.Unmarshal(b, &r) == nil && s.name(string(r.Project)) == filepath.Join(s.Dir, e.Name()) {
			r.outdate()
			out = append(out, r)
		}
	}
	return out, nil
}

// NewRecord returns the record that trusts what a result was evaluated from.
func (r *Result) NewRecord() Record {
	return Record{Project: plan.Str(r.Dir), Digest: r.Files.Digest(), Adds: r.Adds}
}

// addUntrusted evaluates the project's file if it may count, and else says why it does
// not. l has the layers below it; what is returned takes its place.
func (r *run) addUntrusted(l *eval.Layers, user []byte) (*eval.Layers, plan.Diagnostics) {
	if r.o.Trust {
		without := r.begin(user)
		defer without.Close()
		// What is wrong without the file is wrong with it, and told there.
		if p, ds, _ := r.settle(without); !ds.HasErrors() && !r.guard(p, without.Modules(), true).HasErrors() {
			r.Without = p
		}
		ops := len(l.Plan().Ops)
		r.addProject(l, careful{r.host()})
		if r.State != "" {
			// A record that cannot be read is put in order by the one to come.
			if rec, err := r.Store().Get(r.Dir); err == nil && rec != nil && rec.Digest != "" {
				r.New, r.Lost = newSince(rec.Adds, r.Adds, r.Dir, l.Plan(), l.Plan().Ops[ops:])
			}
		}
		return l, nil
	}
	trust := r.o.TrustCommand
	if trust == "" {
		trust = "sbx trust"
	}
	// no is the error that the file does not count, and more of why.
	no := func(more plan.Diagnostics, format string, args ...any) plan.Diagnostics {
		return append(plan.Diagnostics{{
			Msg:  fmt.Sprintf("%q ", r.shortName()) + fmt.Sprintf(format, args...),
			Hint: trust + " shows what it does, and trusts it; --ignore-project-config does without it",
		}}, more...)
	}

	var rec *Record
	if r.State != "" {
		var err error
		if rec, err = r.Store().Get(r.Dir); err != nil {
			return l, no(nil, "cannot be trusted: %v", err)
		}
	}
	trusted := rec != nil && rec.Digest == r.Files.Digest()
	var place verdict
	if r.trustedTop != "" {
		var err error
		if place, err = r.suspect(); err != nil {
			return l, no(nil, "cannot be trusted: %v", err)
		}
	}
	if r.trustedTop != "" && place.why == "" || trusted {
		ops := len(l.Plan().Ops)
		r.addProject(l, nil)
		var fresh, lost []Addition
		since := func(was []Addition) bool {
			fresh, lost = newSince(was, r.Adds, r.Dir, l.Plan(), l.Plan().Ops[ops:])
			return len(fresh)+len(lost) > 0
		}
		switch {
		case l.Faults().HasErrors():
			r.Project = Trusted // whatever it does, it does not get far
		case r.trustedTop != "" && place.why == "" && (!place.same || !since(place.adds)):
			r.Project = InTrusted
			if place.same {
				r.Adds = union(place.adds, r.Adds)
			}
		case trusted && !since(rec.Adds):
			r.Project = Trusted
		case trusted:
			return l, no(tell(fresh, lost), "does more than it did when it was trusted")
		default:
			return l, no(tell(fresh, lost), "is in a trusted directory, but it does more than it did when a sandbox was last made of the project")
		}
		return l, nil
	}
	t := r.tightens(l, user)
	switch {
	case t.with != nil:
		r.Project = Tightens
		return t.with, nil
	case place.why != "":
		return l, no(t.faults, "is in a trusted directory, but it %s", place.why)
	case rec != nil && rec.Digest == "":
		return l, no(t.faults, "was trusted by an older version of sbx, which looked less closely")
	case rec != nil:
		return l, no(t.faults, "has changed since it was trusted, or a file that it loads has")
	}
	return l, no(t.faults, "is not trusted, and it %s", t.why)
}

// union adds to a list of additions those that it has not.
func union(list, more []Addition) []Addition {
	known := map[string]bool{}
	for _, a := range list {
		known[a.Sums[0]] = true
	}
	for _, a := range more {
		if !known[a.Sums[0]] {
			list = append(list, a)
		}
	}
	return list
}
