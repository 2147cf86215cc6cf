//go:build linux

package varlink

// The two services of systemd, version 260 and newer.

import (
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Services are the sockets of the services; a test has others.
type Services struct {
	NSResource string // of systemd-nsresourced
	MountFS    string // of systemd-mountfsd
}

// Systemd are the services of this host.
var Systemd = Services{
	NSResource: "/run/systemd/io.systemd.NamespaceResource",
	MountFS:    "/run/systemd/io.systemd.MountFileSystem",
}

// rangeSize is the number of ids in a range for a container.
const rangeSize = 65536

// UserRange is what AllocateUserRange asks for.
type UserRange struct {
	// Self maps the caller alone; else it is a transient range of 65536 ids.
	Self bool
	// Root makes Self root in there; else it keeps its ids.
	Root bool
	// Foreign maps the foreign uid range of 65536 ids to itself, too.
	Foreign bool
	// Delegate is the number of further ranges for use in there.
	Delegate int
}

// AllocateUserRange has systemd-nsresourced map ids into an empty user namespace,
// given as a file descriptor.
func (s Services) AllocateUserRange(userns int, r UserRange) error {
	type parameters struct {
		Name     string `json:"name"`
		Size     int    `json:"size"`
		UserNS   int    `json:"userNamespaceFileDescriptor"`
		Type     string `json:"type"`
		Target   *int   `json:"target,omitempty"`
		Foreign  bool   `json:"mapForeign"`
		Delegate int    `json:"delegateContainerRanges"`
	}
	p := parameters{Name: "sbx-" + random(), Size: rangeSize, Type: "managed", Foreign: r.Foreign, Delegate: r.Delegate}
	if r.Self {
		p.Size, p.Type = 1, "self"
	}
	if r.Root || !r.Self {
		p.Target = new(int)
	}
	fds, err := Call(s.NSResource, "io.systemd.NamespaceResource.AllocateUserRange", p, nil, userns)
	closeAll(fds)
	if err != nil {
		return explain("systemd-nsresourced", "ids for a user namespace", err)
	}
	return nil
}

// MountDirectory has systemd-mountfsd make a mount of a directory, detached, that
// maps the foreign uid range to the ids of the user namespace. The file descriptor
// that it returns is the caller's to close.
func (s Services) MountDirectory(path string, userns int, readonly bool) (int, error) {
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("source %q: %w", path, err)
	}
	defer unix.Close(dir)
	type parameters struct {
		Dir      int    `json:"directoryFileDescriptor"`
		UserNS   int    `json:"userNamespaceFileDescriptor"`
		Mode     string `json:"mode"`
		ReadOnly bool   `json:"readOnly"`
	}
	var reply struct {
		Mount *int `json:"mountFileDescriptor"`
	}
	fds, err := Call(s.MountFS, "io.systemd.MountFileSystem.MountDirectory", parameters{0, 1, "foreign", readonly}, &reply, dir, userns)
	if err == nil && (reply.Mount == nil || *reply.Mount < 0 || *reply.Mount >= len(fds)) {
		err = errors.New("the reply has no mount")
	}
	if err != nil {
		closeAll(fds)
		return -1, explain("systemd-mountfsd", fmt.Sprintf("a mount of %q", path), err)
	}
	mount := fds[*reply.Mount]
	for _, fd := range fds {
		if fd != mount {
			unix.Close(fd)
		}
	}
	return mount, nil
}

// explain says what is missing where a service cannot be reached.
func explain(service, what string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
		var e *Error
		if !errors.As(err, &e) {
			return fmt.Errorf("%s of systemd 260 or newer is to give %s, and does not run here: %w", service, what, err)
		}
	}
	return fmt.Errorf("%s, asked for %s: %w", service, what, err)
}

// random returns four hexadecimal digits, so that names do not clash.
func random() string {
	var b [2]byte
	unix.Getrandom(b[:], 0) // crypto/rand would add to the start of every program that has this
	return hex.EncodeToString(b[:])
}
