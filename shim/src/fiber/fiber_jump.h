/*
 * The switch itself: in line on x86-64, a function in fiber_switch.S on
 * aarch64. Knows nothing of fibers; builds for other processors use ucontext.
 */
#ifndef QRT_FIBER_JUMP_H
#define QRT_FIBER_JUMP_H

#if defined(__x86_64__)
/*
 * Saves where we are on the running stack and its pointer in *save_sp, then goes on where to_sp
 * was saved. Inline, and with a jump at its end, because of the processor's return predictor: it
 * pairs calls with returns, and a switch that is a call without its return makes every return
 * after it go wrong (40 ns against 9 for a yield). Registers that callers own are the compiler's
 * to save, as it knows which are in use. The floating point control words are not switched: tasks
 * do not change them. The first step leaves the red zone alone.
 */
static inline __attribute__((always_inline)) void qrt__fiber_jump(void **save_sp, void *to_sp)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "pushq %%rbp\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "movq %%rsp, (%%rdi)\n\t"
			 "movq %%rsi, %%rsp\n\t"
			 "popq %%rcx\n\t"
			 "jmpq *%%rcx\n"
			 "1:\n\t"
			 "popq %%rbp\n\t"
			 "leaq 128(%%rsp), %%rsp\n\t"
			 : "+D"(save_sp), "+S"(to_sp)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			   "xmm15", "cc", "memory");
}
#else
void qrt__fiber_jump(void **save_sp, void *to_sp);
#endif

#endif
