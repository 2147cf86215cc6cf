//go:build linux

#include "go_asm.h"
#include "textflag.h"

// func rawClone(flags uintptr) (pid uintptr)
// The return address lives on the stack, which the child of a vfork shares with
// its parent: the child's next call would overwrite it. So it is kept in a
// register over the system call and pushed again by each of the two.
TEXT ·rawClone(SB),NOSPLIT|NOFRAME,$0-16
	MOVQ	flags+0(FP), DI
	XORL	SI, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVQ	$56, AX // clone
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	MOVQ	AX, pid+8(FP)
	RET

// func rawGuard(stack uintptr, c *child) (pid uintptr)
// Clones a process that shares this one's memory and runs guardMain(c) on a stack
// of its own, for good.
TEXT ·rawGuard(SB),NOSPLIT|NOFRAME,$0-24
	MOVQ	$(0x100+17), DI // CLONE_VM | SIGCHLD
	MOVQ	stack+0(FP), SI
	MOVQ	c+8(FP), R13
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVQ	$56, AX // clone
	SYSCALL
	TESTQ	AX, AX
	JZ	guard
	MOVQ	AX, pid+16(FP)
	RET
guard:
	SUBQ	$32, SP
	MOVQ	R13, 0(SP)
	CALL	·guardMain(SB)
	INT	$3

// sigForward is the handler of the signals that sbx passes on, with the C
// calling convention: DI is the signal, SI the siginfo. What the kernel sent
// (si_code > 0) for a key on the terminal has reached the command already, if that
// is in the same session. A SIGCONT by tgkill(2) is the guard's, for sbx itself, and
// one by a pipe the init's.
// While the sandbox is being made, what asks for an end kills its maker.
TEXT ·sigForward(SB),NOSPLIT|NOFRAME,$0
	MOVQ	·sigStarted(SB), AX
	TESTQ	AX, AX
	JZ	begun
	CMPL	(AX), $0
	JNE	begun
	MOVL	$0x800e, AX // HUP INT QUIT TERM
	BTQ	DI, AX
	JCC	begun
	LOCK
	ORQ	$1, ·sigPending(SB) // "early"
	LOCK
	BTSQ	DI, ·sigPending(SB)
	MOVL	·sigTarget(SB), AX
	CMPL	AX, $0
	JLE	done
	MOVL	$9, SI // SIGKILL
	MOVL	AX, DI
	MOVL	$62, AX // kill
	SYSCALL
	RET
begun:
	CMPL	DI, $18
	JNE	keys
	CMPL	8(SI), $-6 // SI_TKILL
	JEQ	done
	CMPL	8(SI), $1 // POLL_IN
	JEQ	done
	MOVQ	·sigReport(SB), AX
	MOVL	$0, report_Asleep(AX)
	LOCK
	INCL	report_Woken(AX)
keys:
	MOVL	·sigKeys(SB), AX
	CMPL	AX, $0
	JNE	send
	MOVL	8(SI), AX
	CMPL	AX, $0
	JLE	send
	MOVL	$0x1074000c, AX // INT QUIT CONT TSTP TTIN TTOU WINCH
	BTQ	DI, AX
	JCS	done
send:
	// Either this or the start of the command takes the bit, and sends.
	LOCK
	BTSQ	DI, ·sigPending(SB)
	MOVL	·sigTarget(SB), AX
	CMPL	AX, $0
	JLE	done
	LOCK
	BTRQ	DI, ·sigPending(SB)
	JCC	done
	MOVL	DI, SI
	MOVL	AX, DI
	MOVL	$62, AX // kill
	SYSCALL
done:
	RET

// sigFault is the handler of the signals that tell of a fault of sbx itself, which
// are the Go runtime's (si_code > 0), but for those that somebody has sent.
TEXT ·sigFault(SB),NOSPLIT|NOFRAME,$0
	MOVL	8(SI), AX
	CMPL	AX, $0
	JGT	fault
	JMP	·sigForward(SB)
fault:
	MOVQ	·sigRuntime(SB), AX
	JMP	AX

// sigNothing is the handler of what has only to arrive.
TEXT ·sigNothing(SB),NOSPLIT|NOFRAME,$0
	RET

// sigLater is the handler of what comes too early: DI is the signal.
TEXT ·sigLater(SB),NOSPLIT|NOFRAME,$0
	MOVL	DI, ·sigTooEarly(SB)
	RET

// func handlers() (forward, fault, nothing, later uintptr)
TEXT ·handlers(SB),NOSPLIT,$0-32
	LEAQ	·sigForward(SB), AX
	MOVQ	AX, forward+0(FP)
	LEAQ	·sigFault(SB), AX
	MOVQ	AX, fault+8(FP)
	LEAQ	·sigNothing(SB), AX
	MOVQ	AX, nothing+16(FP)
	LEAQ	·sigLater(SB), AX
	MOVQ	AX, later+24(FP)
	RET

// threadEndHandler is a signal handler, DX is the ucontext, that ends the thread it
// runs in if that was asleep in a system call, which the signal has interrupted: the
// instruction before RIP is SYSCALL, and RAX is -EINTR.
TEXT ·threadEndHandler(SB),NOSPLIT|NOFRAME,$0
	MOVQ	168(DX), AX // RIP
	CMPW	-2(AX), $0x050f
	JNE	stay
	CMPQ	144(DX), $-4 // RAX
	JNE	stay
	MOVL	$186, AX // gettid
	SYSCALL
	CMPL	AX, ·firstThread(SB)
	JEQ	stay
	XORL	DI, DI
	MOVL	$60, AX // exit
	SYSCALL
	INT	$3
stay:
	RET

// func threadEnd() uintptr
TEXT ·threadEnd(SB),NOSPLIT,$0-8
	LEAQ	·threadEndHandler(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
