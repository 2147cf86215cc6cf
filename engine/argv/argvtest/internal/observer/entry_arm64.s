//go:build linux

#include "textflag.h"

TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVD	$1, R0
	MOVD	R0, ·entered(SB)
	MOVD	$1, R19
	MOVD	$·signals(SB), R20
signal:
	MOVD	R19, R0
	MOVD	$0, R1
	MOVD	R20, R2
	MOVD	$8, R3
	MOVD	$134, R8 // rt_sigaction
	SVC
	ADD	$32, R20
	ADD	$1, R19
	CMP	$64, R19
	BLE	signal
	MOVD	$0, R0
	MOVD	$0, R1
	MOVD	$·blocked(SB), R2
	MOVD	$8, R3
	MOVD	$135, R8 // rt_sigprocmask
	SVC
	MOVD	$0, R19
	MOVD	$·rlimits(SB), R20
limit:
	MOVD	$0, R0
	MOVD	R19, R1
	MOVD	$0, R2
	MOVD	R20, R3
	MOVD	$261, R8 // prlimit64
	SVC
	ADD	$16, R20
	ADD	$1, R19
	CMP	$16, R19
	BLT	limit
	MOVD	$0, R19
	MOVD	$·fdFlags(SB), R20
fd:
	MOVD	R19, R0
	MOVD	$1, R1 // F_GETFD
	MOVD	$0, R2
	MOVD	$25, R8 // fcntl
	SVC
	MOVD	R0, (R20)
	ADD	$8, R20
	ADD	$1, R19
	CMP	$64, R19
	BLT	fd
	MOVD	$2, R0 // PR_GET_PDEATHSIG
	MOVD	$·deathsig(SB), R1
	MOVD	$167, R8 // prctl
	SVC
	B	_rt0_arm64_linux(SB)
