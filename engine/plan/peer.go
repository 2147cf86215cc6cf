package plan

// What only the front ends for bubblewrap and mkosi-sandbox ask for. All of it
// can be in any plan; the zero values are what sbx itself does.

// Lifetime says what ends with what.
type Lifetime string

// The lifetimes.
const (
	// LifetimeAll: everything in the sandbox ends with the command, or at least,
	// with DieWithParent, with sbx. Signals sent to sbx reach the command.
	LifetimeAll Lifetime = ""
	// LifetimeCommand is bubblewrap's: what the command leaves running goes on,
	// signals are for sbx alone, and DieWithParent has the kernel kill sbx with its
	// own parent and the command, or the init, with sbx.
	LifetimeCommand Lifetime = "command"
)

// PWD says what becomes of the variables PWD and OLDPWD.
type PWD string

// The ways of PWD.
const (
	PWDAgree PWD = ""     // PWD is made to agree with the working directory where it is set; OLDPWD is unset
	PWDSet   PWD = "set"  // PWD is always set
	PWDKeep  PWD = "keep" // neither is touched
)

// Filter is a seccomp filter, as an array of struct sock_filter. Filters are
// installed in order, as the last thing before the command is executed.
type Filter struct {
	Code Str    `json:"code"`
	At   Origin `json:"at,omitzero"`
}

// Join names namespaces to enter, by file descriptors of the caller's, setns(2).
type Join struct {
	User  *int `json:"user,omitempty"`  // instead of a user namespace of the sandbox's own
	User2 *int `json:"user2,omitempty"` // once the sandbox is made
	PID   *int `json:"pid,omitempty"`   // the parent of the sandbox's own with Unshare.PID
}

// Hooks are for a caller that looks on. The numbers are file descriptors of the
// caller's, which the command does not inherit.
type Hooks struct {
	Info        *int       `json:"info_fd,omitempty"`         // gets a JSON object with the pid and the namespaces
	Status      *int       `json:"status_fd,omitempty"`       // gets that, and the exit code at the end, an object a line
	Block       *int       `json:"block_fd,omitempty"`        // is read from before the command starts
	UserNSBlock *int       `json:"userns_block_fd,omitempty"` // is read from before the sandbox is made; the caller maps the ids
	Sync        *int       `json:"sync_fd,omitempty"`         // stays open in the init, or the command without one
	Locks       []LockFile `json:"lock_files,omitempty"`      // read locks, fcntl(2), held by an init
}

// LockFile is a file of the sandbox on which a read lock is held.
type LockFile struct {
	Path Str    `json:"path"`
	At   Origin `json:"at,omitzero"`
}

// IntPtr returns a pointer to n.
func IntPtr(n int) *int { return &n }
