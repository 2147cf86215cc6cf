package session

// Where sessions are on record: the directories, and who is in them.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrPlace is the error where there is no directory for sessions; PlaceHint says what
// to do about it.
var ErrPlace = errors.New("directory of the sessions")

// PlaceHint goes with ErrPlace.
const PlaceHint = "set XDG_RUNTIME_DIR to a directory of your own that nobody else can enter"

// Root returns the directory of the user's sessions, and makes it where it is
// missing; see place.
func Root() (string, error) {
	dir, _ := place(os.Geteuid())
	return dir, makeRoot(dir, os.Geteuid())
}

// place returns the directory of the user's sessions: sbx in $XDG_RUNTIME_DIR, or
// else in /run/user/UID, or else /tmp/sbx-UID. The first two count only where
// they are the user's own and nobody else can enter. runtime says that it is one
// of those.
func place(uid int) (dir string, runtime bool) {
	for _, dir := range runtimeDirs(uid) {
		if filepath.IsAbs(dir) && ownDir(dir, uid) == nil {
			return filepath.Join(dir, "sbx"), true
		}
	}
	return temporary(uid), false
}

func runtimeDirs(uid int) []string {
	return []string{os.Getenv("XDG_RUNTIME_DIR"), "/run/user/" + strconv.Itoa(uid)}
}

func temporary(uid int) string { return "/tmp/sbx-" + strconv.Itoa(uid) }

// Places returns the directory of Root, and where else there may be sessions of the
// user's, started with another environment. None is made.
func Places() []string {
	uid := os.Geteuid()
	first, _ := place(uid)
	list := []string{first}
	for _, dir := range append(runtimeDirs(uid), temporary(uid)) {
		if dir != temporary(uid) {
			dir = filepath.Join(dir, "sbx")
		}
		if filepath.IsAbs(dir) && !slices.Contains(list, dir) && ownDir(dir, uid) == nil {
			list = append(list, dir)
		}
	}
	return list
}

func makeRoot(dir string, uid int) error {
	err := unix.Mkdir(dir, 0o700)
	if err != nil && err != unix.EEXIST {
		return fmt.Errorf("%w: %q: %w", ErrPlace, dir, err)
	}
	if err := ownDir(dir, uid); err != nil {
		return fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return nil
}

// ownDir returns an error unless path is a directory of the user's that nobody
// else can enter.
func ownDir(path string, uid int) error {
	var st unix.Stat_t
	switch err := unix.Lstat(path, &st); {
	case err != nil:
		return fmt.Errorf("%q: %w", path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%q is no directory", path)
	case int(st.Uid) != uid:
		return fmt.Errorf("%q belongs to user %d", path, st.Uid)
	case st.Mode&0o077 != 0:
		return fmt.Errorf("%q can be entered by others: its mode is %#o", path, st.Mode&0o7777)
	}
	return nil
}

// entry is the directory of one session, locked.
type entry struct {
	id, dir string
	lock    int // the directory, opened, or -1 when it is gone
	state   int // stateFile, opened, or -1 before it is written
	size    int // of it, in bytes
}

// Files of a session.
const (
	stateFile  = "state.json" // Info
	socketFile = "socket"
	outputFile = "output" // of one that has ended: what was printed last
	freshFile  = stateFile + ".new"
)

// unrecorded is why a session cannot be put on record.
func unrecorded(op, path string, err error) error {
	return fmt.Errorf("the session cannot be put on record: %s %q: %w", op, path, err)
}

// newEntry makes the directory of a session of the project, and locks it.
func newEntry(project string) (*entry, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	for range 100 {
		e, err := makeEntry(root, newID(project))
		if e != nil || err != nil {
			return e, err
		}
	}
	return nil, fmt.Errorf("no new name for a session in %q", root)
}

// makeEntry makes the directory and locks it. It returns nil where the name is taken.
func makeEntry(root, id string) (*entry, error) {
	dir := filepath.Join(root, id)
	if err := unix.Mkdir(dir, 0o700); err == unix.EEXIST {
		return nil, nil
	} else if err != nil {
		return nil, unrecorded("mkdir", dir, err)
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return nil, nil // taken for a stale one
	}
	if err != nil {
		unix.Rmdir(dir)
		return nil, unrecorded("open", dir, err)
	}
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && err != unix.EWOULDBLOCK { // by who takes it for a stale one
		unix.Close(fd)
		unix.Rmdir(dir)
		return nil, unrecorded("lock", dir, err)
	}
	var st unix.Stat_t
	if err != nil || unix.Fstat(fd, &st) != nil || st.Nlink == 0 {
		unix.Close(fd)
		return nil, nil
	}
	return &entry{id: id, dir: dir, lock: fd, state: -1}, nil
}

// lost reports whether the directory is no longer at its place.
func (e *entry) lost() bool {
	var here, there unix.Stat_t
	return unix.Fstat(e.lock, &here) == nil &&
		(unix.Lstat(e.dir, &there) != nil || here.Ino != there.Ino || here.Dev != there.Dev)
}

// again makes a directory of the same name in the same place, where there is that
// place again.
func (e *entry) again() (*entry, error) {
	root := filepath.Dir(e.dir)
	if err := makeRoot(root, os.Geteuid()); err != nil {
		return nil, err
	}
	again, err := makeEntry(root, e.id)
	if again == nil && err == nil {
		err = os.ErrExist
	}
	return again, err
}

// newID returns a name that can be spoken: the project's and two syllables.
func newID(project string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(filepath.Base(project)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == 20 {
			break
		}
	}
	name := strings.Trim(b.String(), "-")
	if name == "" {
		name = "sbx"
	}
	const consonants, vowels = "bdfghjklmnprstvz", "aeiou"
	var r [4]byte
	unix.Getrandom(r[:], 0)
	return name + "-" + string([]byte{
		consonants[r[0]%16], vowels[r[1]%5], consonants[r[2]%16], vowels[r[3]%5],
	})
}

// slack is by how many bytes what changes of a state may grow.
const slack = 16

// write puts the session on record. The first time makes room for all later ones,
// which change a number in place: those cannot fail for want of space, and a
// reader sees the old one or the new one.
func (e *entry) write(info *Info) error {
	b, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if e.state >= 0 {
		if len(b) > e.size {
			return errors.New("sbx bug: the state of a session has grown")
		}
		_, err := unix.Pwrite(e.state, pad(b, e.size), 0)
		return err
	}
	b = pad(b, len(b)+slack)
	fd, err := e.create(stateFile, b)
	if err != nil {
		return err
	}
	e.state, e.size = fd, len(b)
	return nil
}

func pad(b []byte, size int) []byte {
	for len(b) < size {
		b = append(b, ' ')
	}
	return b
}

// create makes a file, whole, or leaves none.
func (e *entry) create(name string, b []byte) (int, error) {
	fd, err := unix.Openat(e.lock, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return -1, unrecorded("open", e.dir+"/"+name, err)
	}
	n, err := unix.Write(fd, b)
	if err == nil && n < len(b) { // the next one would tell the reason
		if _, err = unix.Write(fd, b[n:]); err == nil {
			err = unix.ENOSPC
		}
	}
	if err != nil {
		unix.Close(fd)
		unix.Unlinkat(e.lock, name, 0)
		return -1, unrecorded("write", e.dir+"/"+name, err)
	}
	return fd, nil
}

// end leaves on record how the session ended and what it printed last. Where that
// cannot be, it is removed.
func (e *entry) end(info *Info, output []byte) {
	defer e.remove()
	if e.lock < 0 || info.Ended == nil || e.lost() {
		return
	}
	b, err := json.Marshal(info)
	if err != nil {
		return
	}
	for name, data := range map[string][]byte{outputFile: output, freshFile: b} {
		fd, err := e.create(name, data)
		if err != nil {
			return
		}
		unix.Close(fd)
	}
	unix.Unlinkat(e.lock, socketFile, 0)
	if unix.Renameat(e.lock, freshFile, e.lock, stateFile) == nil {
		e.close()
		prune(filepath.Dir(e.dir))
	}
}

// remove takes the session off the record.
func (e *entry) remove() {
	if e.lock < 0 {
		return
	}
	if !e.lost() {
		for _, name := range [...]string{stateFile, socketFile, outputFile, freshFile} { // which takes no file descriptor
			unix.Unlinkat(e.lock, name, 0)
		}
		if unix.Rmdir(e.dir) != nil {
			os.RemoveAll(e.dir)
		}
	}
	e.close()
}

func (e *entry) close() {
	unix.Close(e.lock)
	if e.state >= 0 {
		unix.Close(e.state)
	}
	e.lock, e.state = -1, -1
}

// List returns what is on record, the oldest first, and removes what is stale.
func List() ([]Info, error) {
	root, _ := place(os.Geteuid())
	if err := ownDir(root, os.Geteuid()); errors.Is(err, unix.ENOENT) {
		return []Info{}, nil
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return list(root)
}

func list(root string) ([]Info, error) {
	names, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	list := []Info{}
	for _, n := range names {
		if !n.IsDir() {
			continue
		}
		if info := look(filepath.Join(root, n.Name())).info; info != nil {
			list = append(list, *info)
		}
	}
	slices.SortFunc(list, func(a, b Info) int {
		if c := a.Started.Compare(b.Started); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}

// sight is what there is in the directory of a session.
type sight struct {
	info *Info // nil: it is on its way in or out
	// locked: somebody looks after it. What is not locked has ended and says so, or
	// is stale, and gone.
	locked bool
}

// look looks into the directory of a session, and removes it if it is stale.
func look(dir string) (s sight) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		s.locked = err != unix.ENOENT
		return s
	}
	defer unix.Close(fd)
	s.locked = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) != nil // shared: others may be looking, too
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	var info Info
	if err == nil && json.Unmarshal(b, &info) == nil && info.ID == filepath.Base(dir) {
		s.info = &info
	}
	if !s.locked && (s.info == nil || s.info.Ended == nil) {
		os.RemoveAll(dir)
		s.info = nil
	}
	return s
}

// maxEnded is how many sessions that have ended stay on record, of a user's.
const maxEnded = 16

// prune removes the oldest of those that have ended.
func prune(root string) {
	all, _ := list(root)
	all = slices.DeleteFunc(all, func(i Info) bool { return i.Ended == nil })
	slices.SortFunc(all, func(a, b Info) int { return a.Ended.At.Compare(b.Ended.At) })
	for len(all) > maxEnded {
		os.RemoveAll(filepath.Join(root, all[0].ID))
		all = all[1:]
	}
}

// ErrNone is the error of Lookup where no sandbox has that id.
var ErrNone = errors.New("no such sandbox")

// Lookup returns the sandbox with that id, or the only one whose id begins so; of
// those that have ended only where none runs.
func Lookup(id string) (*Info, error) {
	list, err := List()
	if err != nil {
		return nil, err
	}
	var found []*Info
	for i := range list {
		it := &list[i]
		if it.ID == id {
			return it, nil
		}
		if id != "" && strings.HasPrefix(it.ID, id) {
			found = append(found, it)
		}
	}
	if slices.ContainsFunc(found, func(i *Info) bool { return i.Ended == nil }) {
		found = slices.DeleteFunc(found, func(i *Info) bool { return i.Ended != nil })
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: %q", ErrNone, id)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, i := range found {
		names = append(names, i.ID)
	}
	return nil, fmt.Errorf("%q may be %s", id, strings.Join(names, " or "))
}

// dir returns the directory of a session that is listed.
func (i *Info) dir() string {
	root, _ := place(os.Geteuid())
	return filepath.Join(root, i.ID)
}

// running is Lookup of one that has not ended: else the error is a *Done.
func running(id string) (*Info, error) {
	info, err := Lookup(id)
	if err == nil && info.Ended != nil {
		return nil, &Done{info}
	}
	return info, err
}

// forget removes a session that has ended from the record.
func forget(info *Info) error { return os.RemoveAll(info.dir()) }

// StartTime returns when a process was started, in clock ticks since boot, or 0
// where there is none. A zombie is none.
func StartTime(pid int) uint64 {
	_, _, start := status(pid)
	return start
}

// status returns the state, the parent and the start time of a process,
// proc_pid_stat(5); the start time of a process that is no more is 0.
func status(pid int) (state byte, parent int, start uint64) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, 0
	}
	i := strings.LastIndexByte(string(b), ')') // the name may hold anything
	f := strings.Fields(string(b[i+1:]))
	if i < 0 || len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return 0, 0, 0
	}
	parent, _ = strconv.Atoi(f[1])
	start, _ = strconv.ParseUint(f[19], 10, 64)
	return f[0][0], parent, start
}

// Alive reports whether the server's process is there, and not another one with
// its number. It is not where sbx runs in another pid namespace.
func (i *Info) Alive() bool { return i.Start != 0 && StartTime(i.Server) == i.Start }

// Age returns how long it has been running.
func (i *Info) Age() time.Duration { return time.Since(i.Started) }
