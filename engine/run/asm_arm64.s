//go:build linux

#include "go_asm.h"
#include "textflag.h"

// func rawClone(flags uintptr) (pid uintptr)
// The return address is in R30 all the while, so that a child that shares this
// stack cannot overwrite it.
TEXT ·rawClone(SB),NOSPLIT|NOFRAME,$0-16
	MOVD	flags+0(FP), R0
	MOVD	ZR, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$220, R8 // clone
	SVC
	MOVD	R0, pid+8(FP)
	RET

// func rawGuard(stack uintptr, c *child) (pid uintptr)
// Clones a process that shares this one's memory and runs guardMain(c) on a stack
// of its own, for good.
TEXT ·rawGuard(SB),NOSPLIT|NOFRAME,$0-24
	MOVD	$(0x100+17), R0 // CLONE_VM | SIGCHLD
	MOVD	stack+0(FP), R1
	MOVD	c+8(FP), R19
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$220, R8 // clone
	SVC
	CBZ	R0, guard
	MOVD	R0, pid+16(FP)
	RET
guard:
	SUB	$32, RSP
	MOVD	R19, 8(RSP)
	CALL	·guardMain(SB)
	BRK

// sigForward is the handler of the signals that sbx passes on: R0 is the
// signal, R1 the siginfo. What the kernel sent (si_code > 0) for a key on the
// terminal has reached the command already, if that is in the same session. A
// SIGCONT by tgkill(2) is the guard's, for sbx itself, and one by a pipe the init's.
// While the sandbox is being made, what asks for an end kills its maker.
TEXT ·sigForward(SB),NOSPLIT|NOFRAME,$0
	MOVD	·sigStarted(SB), R2
	CBZ	R2, begun
	MOVW	(R2), R3
	CBNZW	R3, begun
	MOVD	$0x800e, R2 // HUP INT QUIT TERM
	LSR	R0, R2, R2
	TBZ	$0, R2, begun
	MOVD	$1, R4
	LSL	R0, R4, R4
	ORR	$1, R4, R4 // "early"
	MOVD	$·sigPending(SB), R5
note:
	LDAXR	(R5), R6
	ORR	R4, R6, R6
	STLXR	R6, (R5), R7
	CBNZW	R7, note
	DMB	$0xb // ISH
	MOVW	·sigTarget(SB), R3
	CMPW	$0, R3
	BLE	done
	MOVD	$9, R1 // SIGKILL
	MOVD	R3, R0
	MOVD	$129, R8 // kill
	SVC
	RET
begun:
	CMPW	$18, R0
	BNE	keys
	MOVW	8(R1), R2
	CMPW	$-6, R2 // SI_TKILL
	BEQ	done
	CMPW	$1, R2 // POLL_IN
	BEQ	done
	MOVD	·sigReport(SB), R5
	MOVW	ZR, report_Asleep(R5)
	ADD	$report_Woken, R5
woken:
	LDAXRW	(R5), R6
	ADDW	$1, R6
	STLXRW	R6, (R5), R7
	CBNZW	R7, woken
keys:
	MOVW	·sigKeys(SB), R2
	CBNZW	R2, send
	MOVW	8(R1), R2
	CMPW	$0, R2
	BLE	send
	MOVD	$0x1074000c, R2 // INT QUIT CONT TSTP TTIN TTOU WINCH
	LSR	R0, R2, R2
	TBNZ	$0, R2, done
send:
	// Either this or the start of the command takes the bit, and sends.
	MOVD	$1, R4
	LSL	R0, R4, R4
	MOVD	$·sigPending(SB), R5
set:
	LDAXR	(R5), R6
	ORR	R4, R6, R6
	STLXR	R6, (R5), R7
	CBNZW	R7, set
	DMB	$0xb // ISH
	MOVW	·sigTarget(SB), R3
	CMPW	$0, R3
	BLE	done
clear:
	LDAXR	(R5), R6
	TST	R4, R6
	BEQ	done
	BIC	R4, R6, R6
	STLXR	R6, (R5), R7
	CBNZW	R7, clear
	MOVD	R0, R1
	MOVD	R3, R0
	MOVD	$129, R8 // kill
	SVC
done:
	RET

// sigFault is the handler of the signals that tell of a fault of sbx itself, which
// are the Go runtime's (si_code > 0), but for those that somebody has sent.
TEXT ·sigFault(SB),NOSPLIT|NOFRAME,$0
	MOVW	8(R1), R3
	CMPW	$0, R3
	BGT	fault
	JMP	·sigForward(SB)
fault:
	MOVD	·sigRuntime(SB), R3
	JMP	(R3)

// sigNothing is the handler of what has only to arrive.
TEXT ·sigNothing(SB),NOSPLIT|NOFRAME,$0
	RET

// sigLater is the handler of what comes too early: R0 is the signal.
TEXT ·sigLater(SB),NOSPLIT|NOFRAME,$0
	MOVW	R0, ·sigTooEarly(SB)
	RET

// func handlers() (forward, fault, nothing, later uintptr)
TEXT ·handlers(SB),NOSPLIT,$0-32
	MOVD	$·sigForward(SB), R0
	MOVD	R0, forward+0(FP)
	MOVD	$·sigFault(SB), R0
	MOVD	R0, fault+8(FP)
	MOVD	$·sigNothing(SB), R0
	MOVD	R0, nothing+16(FP)
	MOVD	$·sigLater(SB), R0
	MOVD	R0, later+24(FP)
	RET

// threadEndHandler is a signal handler, R2 is the ucontext, that ends the thread it
// runs in if that was asleep in a system call, which the signal has interrupted: the
// instruction before PC is SVC, and X0 is -EINTR.
TEXT ·threadEndHandler(SB),NOSPLIT|NOFRAME,$0
	MOVD	440(R2), R3 // PC
	MOVWU	-4(R3), R3
	MOVD	$0xd4000001, R4
	CMP	R4, R3
	BNE	stay
	MOVD	184(R2), R3 // X0
	CMP	$-4, R3
	BNE	stay
	MOVD	$178, R8 // gettid
	SVC
	MOVW	·firstThread(SB), R3
	CMPW	R3, R0
	BEQ	stay
	MOVD	ZR, R0
	MOVD	$93, R8 // exit
	SVC
	BRK
stay:
	RET

// func threadEnd() uintptr
TEXT ·threadEnd(SB),NOSPLIT,$0-8
	MOVD	$·threadEndHandler(SB), R0
	MOVD	R0, ret+0(FP)
	RET
