//go:build !linux

package probe

type host struct{}

func newHost() *host { return &host{} }

func (*host) privileged() bool { return false }

func (*host) run(string) finding { return finding{Unknown, "this is not Linux", ""} }

// ChildMain is for Linux.
func ChildMain() {}
