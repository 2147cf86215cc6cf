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

// Root returns the directory of the user's sessions: sbx in $XDG_RUNTIME_DIR, or
// else in /run/user/UID, or else /tmp/sbx-UID. The first two count only where
// they are the user's own and nobody else can enter. It is made where it is missing.
func Root() (string, error) {
	uid := os.Geteuid()
	if dir := runtimeDir(uid); dir != "" {
		return makeRoot(filepath.Join(dir, "sbx"), uid)
	}
	return makeRoot("/tmp/sbx-"+strconv.Itoa(uid), uid)
}

// runtimeDir returns the user's runtime directory, or "".
func runtimeDir(uid int) string {
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run/user/" + strconv.Itoa(uid)} {
		if filepath.IsAbs(dir) && ownDir(dir, uid) == nil {
			return dir
		}
	}
	return ""
}

func makeRoot(dir string, uid int) (string, error) {
	if err := unix.Mkdir(dir, 0o700); err != nil && err != unix.EEXIST {
		return "", fmt.Errorf("directory of the sessions: %q: %w", dir, err)
	}
	if err := ownDir(dir, uid); err != nil {
		return "", fmt.Errorf("directory of the sessions: %w", err)
	}
	return dir, nil
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
	written bool
}

const stateFile, socketFile = "state.json", "socket"

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
		return nil, &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return nil, nil // taken for a stale one
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	var st unix.Stat_t
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil || unix.Fstat(fd, &st) != nil || st.Nlink == 0 {
		unix.Close(fd)
		return nil, nil
	}
	return &entry{id: id, dir: dir, lock: fd}, nil
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
	if _, err := makeRoot(root, os.Geteuid()); err != nil {
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

// write puts the session on record, all at once.
func (e *entry) write(info *Info) error {
	b, err := json.Marshal(info)
	if err != nil {
		return err
	}
	name := stateFile
	if e.written { // the first time nobody takes half a file for a whole one
		name += ".new"
	}
	fd, err := unix.Openat(e.lock, name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: e.dir + "/" + name, Err: err}
	}
	n, err := unix.Write(fd, b)
	unix.Close(fd)
	if err == nil && n < len(b) {
		err = unix.ENOSPC
	}
	if err == nil && e.written {
		err = unix.Renameat(e.lock, name, e.lock, stateFile)
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: e.dir + "/" + name, Err: err}
	}
	e.written = true
	return nil
}

// remove takes the session off the record.
func (e *entry) remove() {
	if e.lock < 0 {
		return
	}
	if !e.lost() {
		unix.Unlinkat(e.lock, stateFile, 0)
		if unix.Rmdir(e.dir) != nil {
			os.RemoveAll(e.dir)
		}
	}
	unix.Close(e.lock)
	e.lock = -1
}

// List returns what is on record, the oldest first, and removes what is stale.
func List() ([]Info, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	names, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	list := []Info{}
	for _, n := range names {
		dir := filepath.Join(root, n.Name())
		if !n.IsDir() || stale(dir) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, stateFile))
		var info Info
		if err != nil || json.Unmarshal(b, &info) != nil || info.ID != n.Name() {
			continue // on its way in or out
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b Info) int {
		if c := a.Started.Compare(b.Started); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}

// stale removes a directory that nobody locks, and reports whether it is gone.
func stale(dir string) bool {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err == unix.ENOENT
	}
	defer unix.Close(fd)
	if unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) != nil { // shared: others may be looking, too
		return false
	}
	os.RemoveAll(dir)
	return true
}

// ErrNone is the error of Lookup where no sandbox has that id.
var ErrNone = errors.New("no such sandbox")

// Lookup returns the sandbox with that id, or the only one whose id begins so.
func Lookup(id string) (*Info, error) {
	list, err := List()
	if err != nil {
		return nil, err
	}
	var found []string
	var it *Info
	for i := range list {
		if list[i].ID == id {
			return &list[i], nil
		}
		if id != "" && strings.HasPrefix(list[i].ID, id) {
			it, found = &list[i], append(found, list[i].ID)
		}
	}
	switch {
	case len(found) > 1:
		return nil, fmt.Errorf("%q may be %s", id, strings.Join(found, " or "))
	case it == nil:
		return nil, fmt.Errorf("%w: %q", ErrNone, id)
	}
	return it, nil
}

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
