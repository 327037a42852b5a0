/* What an application can do to the buffers that it shares with the consumer daemon. Each does it to all
 * buffers that the application has, and returns their count or an error number below 0. */
#ifndef HOSTILE_H
#define HOSTILE_H

/* Writes anything anywhere, in a thread of its own, until the application ends. */
int scribble(long seed);

/* Writes anything to every word, once. */
int scribble_all(long seed);

/* Writes to every pipe that it has, standard ones apart, in a thread of its own, until the application
 * ends, also when the tracer has closed them: that is how writers tell that there is a packet. */
int ring(void);

/* Says that packets are there as fast as they are taken, in a thread of its own, until the application ends. */
int forge(void);

/* Reserves len bytes, as for an event, and never writes them. */
int hold(long len);

/* Writes a position over the writers' one, of the buffers of the processor that it runs on alone. */
int rewind_own(long position);

#endif
