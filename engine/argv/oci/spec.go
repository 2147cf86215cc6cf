// Package oci turns a plan into a bundle for container runtimes such as crun and
// runc: the config.json of the OCI runtime specification, and what its root file
// system holds.
package oci

import (
	"bytes"
	"encoding/json"

	"sbx/engine/plan"
)

// Version is the version of the specification that the bundles are for.
const Version = "1.0.2"

// Spec is config.json, as far as plans need it.
type Spec struct {
	Version  string  `json:"ociVersion"`
	Process  Process `json:"process"`
	Root     Root    `json:"root"`
	Hostname string  `json:"hostname,omitempty"`
	Mounts   []Mount `json:"mounts"`
	Linux    Linux   `json:"linux"`
}

// Process is the command.
type Process struct {
	Terminal        bool          `json:"terminal"`
	User            User          `json:"user"`
	Args            []string      `json:"args"`
	Env             []string      `json:"env"`
	Cwd             string        `json:"cwd"`
	Capabilities    *Capabilities `json:"capabilities,omitempty"`
	Rlimits         []Rlimit      `json:"rlimits,omitempty"`
	NoNewPrivileges bool          `json:"noNewPrivileges"`
}

// User is who the command is, in the container.
type User struct {
	UID   uint32  `json:"uid"`
	GID   uint32  `json:"gid"`
	Umask *uint32 `json:"umask,omitempty"`
}

// Capabilities are its sets of capabilities.
type Capabilities struct {
	Bounding    []string `json:"bounding"`
	Effective   []string `json:"effective"`
	Inheritable []string `json:"inheritable"`
	Permitted   []string `json:"permitted"`
	Ambient     []string `json:"ambient"`
}

// Rlimit is a resource limit; without one it is 2⁶⁴-1.
type Rlimit struct {
	Type string `json:"type"`
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

// Root is the root file system.
type Root struct {
	Path     string `json:"path"` // relative to the bundle, or absolute
	Readonly bool   `json:"readonly,omitempty"`
}

// Mount is one mount. A relative source is in the bundle.
type Mount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type,omitempty"`
	Source      string   `json:"source,omitempty"`
	Options     []string `json:"options,omitempty"`
}

// Linux is what other systems do not have.
type Linux struct {
	UIDMappings   []IDMapping `json:"uidMappings,omitempty"`
	GIDMappings   []IDMapping `json:"gidMappings,omitempty"`
	Namespaces    []Namespace `json:"namespaces"`
	Devices       []Device    `json:"devices,omitempty"`
	Seccomp       *Seccomp    `json:"seccomp,omitempty"`
	ReadonlyPaths []string    `json:"readonlyPaths,omitempty"`
}

// IDMapping maps ids of the container to ids of the host.
type IDMapping struct {
	ContainerID uint32 `json:"containerID"`
	HostID      uint32 `json:"hostID"`
	Size        uint32 `json:"size"`
}

// Namespace is a new namespace.
type Namespace struct {
	Type string `json:"type"`
}

// Device is a device in /dev, beside those that each container has.
type Device struct {
	Path     string `json:"path"`
	Type     string `json:"type"`
	Major    int64  `json:"major"`
	Minor    int64  `json:"minor"`
	FileMode uint32 `json:"fileMode"`
}

// Seccomp is a filter of system calls.
type Seccomp struct {
	DefaultAction string    `json:"defaultAction"`
	Architectures []string  `json:"architectures"`
	Syscalls      []Syscall `json:"syscalls"`
}

// Syscall is what happens to some system calls.
type Syscall struct {
	Names    []string `json:"names"`
	Action   string   `json:"action"`
	ErrnoRet uint     `json:"errnoRet"`
	Args     []Arg    `json:"args,omitempty"`
}

// Arg is a condition on an argument.
type Arg struct {
	Index    uint   `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo,omitempty"`
	Op       string `json:"op"`
}

// JSON returns config.json.
func (s *Spec) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return b.Bytes(), err
}

// The directories of a bundle, beside config.json.
const (
	RootDir  = "rootfs" // the root file system
	FilesDir = "files"  // files that are mounted over others
)

// EntryKind says what an entry of a bundle is.
type EntryKind uint8

// The kinds of entries.
const (
	EntryDir EntryKind = iota
	EntryFile
	EntrySymlink
)

// Entry is a file of the bundle, to be made in the order of the list; the
// directories on the way to it have the mode 0755.
type Entry struct {
	Path string // in the bundle, clean
	Kind EntryKind
	Mode uint32 // of a directory or file
	Data string // content of a file, text of a symlink
	From string // of a file: a file of the host to be copied

	At plan.Origin // where it was asked for
	Op string      // by which built-in
}

// Bundle is a whole container.
type Bundle struct {
	Spec    Spec
	Entries []Entry
}
