/* Tracepoints of the traced test program: one event of every field kind, one per log level in use. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER sample

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./sample.h"

#if !defined(SAMPLE_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_ENUM(sample, colour,
	LTTNG_UST_TP_ENUM_VALUES(
		lttng_ust_field_enum_value("RED", 0)
		lttng_ust_field_enum_value("GREEN", 1)
		lttng_ust_field_enum_range("SHADES", 2, 9)
		lttng_ust_field_enum_auto("LAST")
	)
)

LTTNG_UST_TRACEPOINT_EVENT(sample, number,
	LTTNG_UST_TP_ARGS(int, number, const char *, text),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, number, number)
		lttng_ust_field_string(text, text)
	)
)
LTTNG_UST_TRACEPOINT_LOGLEVEL(sample, number, LTTNG_UST_TRACEPOINT_LOGLEVEL_INFO)

LTTNG_UST_TRACEPOINT_EVENT(sample, fields,
	LTTNG_UST_TP_ARGS(int, number, const int32_t *, values, size_t, length, const char *, text),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int8_t, tiny, (int8_t) -number)
		lttng_ust_field_integer(uint16_t, small, (uint16_t) number)
		lttng_ust_field_integer_hex(uint32_t, hexadecimal, (uint32_t) number + 0xabc0)
		lttng_ust_field_integer_network(uint32_t, network, htobe32((uint32_t) number))
		lttng_ust_field_integer(int64_t, large, -(INT64_C(1) << 40))
		lttng_ust_field_float(float, single, 0.5f)
		lttng_ust_field_float(double, real, 2.25)
		lttng_ust_field_string(text, text)
		lttng_ust_field_array(int32_t, array, values, 3)
		lttng_ust_field_array_text(char, array_text, "abcd", 4)
		lttng_ust_field_sequence(int32_t, sequence, values, size_t, length)
		lttng_ust_field_sequence_text(char, sequence_text, text, size_t, length)
		lttng_ust_field_enum(sample, colour, uint8_t, colour, (uint8_t) (number % 11))
		lttng_ust_field_integer_nowrite(int, hidden, number)
	)
)
LTTNG_UST_TRACEPOINT_LOGLEVEL(sample, fields, LTTNG_UST_TRACEPOINT_LOGLEVEL_DEBUG_MODULE)

LTTNG_UST_TRACEPOINT_EVENT_CLASS(sample, plain,
	LTTNG_UST_TP_ARGS(int, number),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, number, number))
)
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(sample, plain, sample, alarm, LTTNG_UST_TP_ARGS(int, number))
LTTNG_UST_TRACEPOINT_LOGLEVEL(sample, alarm, LTTNG_UST_TRACEPOINT_LOGLEVEL_ALERT)
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(sample, plain, sample, caution, LTTNG_UST_TP_ARGS(int, number))
LTTNG_UST_TRACEPOINT_LOGLEVEL(sample, caution, LTTNG_UST_TRACEPOINT_LOGLEVEL_WARNING)
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(sample, plain, sample, detail, LTTNG_UST_TP_ARGS(int, number))
LTTNG_UST_TRACEPOINT_LOGLEVEL(sample, detail, LTTNG_UST_TRACEPOINT_LOGLEVEL_DEBUG)

/* No log level given: the tracer's default. */
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(sample, plain, sample, ordinary, LTTNG_UST_TP_ARGS(int, number))

LTTNG_UST_TRACEPOINT_EVENT(sample, bulk,
	LTTNG_UST_TP_ARGS(int, number, const uint8_t *, block, size_t, length),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, number, number)
		lttng_ust_field_sequence(uint8_t, block, block, size_t, length)
	)
)

#endif

#include <lttng/tracepoint-event.h>
