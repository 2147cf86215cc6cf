package box

// Who runs the programs.

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is the user that a root test process drops to.
const nobody = 65534

// User is a user that runs programs.
type User struct {
	Name string
	UID  int
}

// Users are those that this process can be, an ordinary one first.
func Users() []User {
	if os.Getuid() != 0 {
		return []User{{"user", os.Getuid()}}
	}
	return []User{{"user", nobody}, {"root", 0}}
}

// Root reports whether u is root.
func (u User) Root() bool { return u.UID == 0 }

// Become has cmd run as u.
func (u User) Become(cmd *exec.Cmd) {
	if os.Getuid() == u.UID {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.UID)}
}

// Command prepares a run of a program by u, in the root directory.
func (u User) Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.WaitDelay = Patience
	u.Become(cmd)
	return cmd
}

// Dir returns a new directory of u's, which everybody may enter.
func (u User) Dir(t testing.TB) string {
	t.Helper()
	return u.DirIn(t, Work)
}

// DirIn is Dir with another parent than Work.
func (u User) DirIn(t testing.TB, parent string) string {
	t.Helper()
	d, err := os.MkdirTemp(parent, "t")
	Must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	})
	Must(t, os.Chmod(d, 0o755))
	u.Own(t, d)
	return d
}

// Own gives files to u.
func (u User) Own(t testing.TB, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if os.Getuid() == 0 {
			Must(t, os.Lchown(p, u.UID, u.UID))
		}
	}
}

// Mkdir makes a directory of u's, with parents.
func (u User) Mkdir(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		return path
	}
	u.Mkdir(t, filepath.Dir(path))
	Must(t, os.Mkdir(path, 0o755))
	u.Own(t, path)
	return path
}

// Write makes a file of u's, with its directory.
func (u User) Write(t testing.TB, path, data string) string {
	t.Helper()
	u.Mkdir(t, filepath.Dir(path))
	Must(t, os.WriteFile(path, []byte(data), 0o644))
	u.Own(t, path)
	return path
}
