/* A program with places for probes in user space: a function that others use, a tracepoint of SystemTap's at two
 * places, and one that a semaphore guards. */

#define NOTE(name, semaphore)                                                                                          \
    __asm__ volatile("990: nop\n"                                                                                      \
                     ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                      \
                     ".balign 4\n"                                                                                     \
                     ".4byte 992f-991f, 994f-993f, 3\n"                                                                \
                     "991: .asciz \"stapsdt\"\n"                                                                       \
                     "992: .balign 4\n"                                                                                \
                     "993: .8byte 990b, 0, " semaphore "\n"                                                            \
                     ".asciz \"program\"\n"                                                                            \
                     ".asciz \"" name "\"\n"                                                                           \
                     ".asciz \"\"\n"                                                                                   \
                     "994: .balign 4\n"                                                                                \
                     ".popsection\n")

__attribute__((section(".probes"), used)) unsigned short guarded_semaphore;

__attribute__((noinline, noclone)) int work(int number) {
    __asm__ volatile("");
    NOTE("worked", "0");
    return number + 1;
}

int main(void) {
    int number = 0;
    while (number < 3) {
        number = work(number);
        NOTE("worked", "0");
    }
    NOTE("guarded", "guarded_semaphore");
    return number != 3;
}
