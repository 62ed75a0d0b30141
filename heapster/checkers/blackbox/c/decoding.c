/* See decoding.h. What is not in the tables touches nothing that is told: its accesses are not seen. */
#include "decoding.h"

#include <string.h>

#include "hooks.h"

/* How much: of bytes, of words of the operand's size, of half or a whole register, of vectors, of one of their
   numbers (by prefix). */
enum width { BYTE = 1, TWO, FOUR, EIGHT, SIXTEEN, WORD, GENERAL, VECTOR, NUMBER };
#define TAKES(way, width) ((unsigned char)((way) | (width) << 2))
#define R(width) TAKES(READS, width)
#define W(width) TAKES(WRITES, width)
#define RW(width) TAKES(READS | WRITES, width)
#define ARITHMETIC(at) [at] = RW(BYTE), [(at) + 1] = RW(WORD), [(at) + 2] = R(BYTE), [(at) + 3] = R(WORD)
#define SHIFTS(at) [at] = RW(BYTE), [(at) + 1] = RW(WORD)
enum { BY_DIGIT = 0xff }; /* the opcode goes on in the middle of its second byte */

static const unsigned char one_byte[256] = {
    ARITHMETIC(0x00), ARITHMETIC(0x08),  ARITHMETIC(0x10),  ARITHMETIC(0x18),  ARITHMETIC(0x20),  ARITHMETIC(0x28),
    ARITHMETIC(0x30), [0x38] = R(BYTE),  [0x39] = R(WORD),  [0x3a] = R(BYTE),  [0x3b] = R(WORD),  [0x63] = R(FOUR),
    [0x69] = R(WORD), [0x6b] = R(WORD),  [0x80] = BY_DIGIT, [0x81] = BY_DIGIT, [0x83] = BY_DIGIT, [0x84] = R(BYTE),
    [0x85] = R(WORD), [0x86] = RW(BYTE), [0x87] = RW(WORD), [0x88] = W(BYTE),  [0x89] = W(WORD),  [0x8a] = R(BYTE),
    [0x8b] = R(WORD), [0x8f] = W(EIGHT), SHIFTS(0xc0),      [0xc6] = W(BYTE),  [0xc7] = W(WORD),  SHIFTS(0xd0),
    SHIFTS(0xd2),     [0xf6] = BY_DIGIT, [0xf7] = BY_DIGIT, [0xfe] = RW(BYTE), [0xff] = BY_DIGIT,
};

static const unsigned char two_bytes[256] = {
    [0x10] = R(NUMBER),
    [0x11] = W(NUMBER),
    [0x12] = R(EIGHT),
    [0x13] = W(EIGHT),
    [0x14] = R(VECTOR),
    [0x15] = R(VECTOR),
    [0x16] = R(EIGHT),
    [0x17] = W(EIGHT),
    [0x28] = R(VECTOR),
    [0x29] = W(VECTOR),
    [0x2a] = R(GENERAL),
    [0x2b] = W(VECTOR),
    [0x2e] = R(FOUR),
    [0x2f] = R(FOUR),
    [0x40 ... 0x4f] = R(WORD),
    [0x51 ... 0x5f] = R(NUMBER),
    [0x60 ... 0x6d] = R(VECTOR),
    [0x6e] = R(GENERAL),
    [0x6f] = R(VECTOR),
    [0x70] = R(VECTOR),
    [0x74 ... 0x76] = R(VECTOR),
    [0x7e] = W(GENERAL),
    [0x7f] = W(VECTOR),
    [0x90 ... 0x9f] = W(BYTE),
    [0xa3] = R(WORD),
    [0xa4] = RW(WORD),
    [0xa5] = RW(WORD),
    [0xab] = RW(WORD),
    [0xac] = RW(WORD),
    [0xad] = RW(WORD),
    [0xaf] = R(WORD),
    SHIFTS(0xb0),
    [0xb3] = RW(WORD),
    [0xb6] = R(BYTE),
    [0xb7] = R(TWO),
    [0xb8] = R(WORD),
    [0xba] = BY_DIGIT,
    [0xbb] = RW(WORD),
    [0xbc] = R(WORD),
    [0xbd] = R(WORD),
    [0xbe] = R(BYTE),
    [0xbf] = R(TWO),
    SHIFTS(0xc0),
    [0xc3] = W(GENERAL),
    [0xc6] = R(VECTOR),
    [0xc7] = BY_DIGIT,
    [0xd1 ... 0xd5] = R(VECTOR),
    [0xd6] = W(EIGHT),
    [0xd8 ... 0xdf] = R(VECTOR),
    [0xe0 ... 0xe5] = R(VECTOR),
    [0xe7] = W(VECTOR),
    [0xe8 ... 0xf0] = R(VECTOR),
    [0xf4 ... 0xfe] = R(VECTOR),
};

struct reading {
    const unsigned char *at;
    const struct registers *registers;
    unsigned rex;       /* its bits W, R, X, B; W also of a vector's prefix */
    unsigned prefix;    /* 0x66, 0xf2 or 0xf3, the last of them */
    unsigned map;       /* 1: one byte; 2: two; 3 and 4: three */
    int repeats, small; /* 0xf2 or 0xf3; 0x66 */
    int thread;         /* of the thread's own memory */
    int vector, wide;   /* a vector's prefix; of 32 bytes */
};

static unsigned byte_of(struct reading *reading) { return *reading->at++; }

static void read_plain_prefixes(struct reading *reading)
{
    for (;; reading->at++)
        switch (*reading->at) {
        case 0x66:
            reading->small = 1;
            if (!reading->repeats)
                reading->prefix = 0x66;
            break;
        case 0xf2:
        case 0xf3:
            reading->repeats = 1;
            reading->prefix = *reading->at;
            break;
        case 0x64:
            reading->thread = 1;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x65:
        case 0x67:
        case 0xf0:
            break;
        default:
            return;
        }
}

static void read_vector_prefix(struct reading *reading)
{
    static const unsigned prefixes[] = {0, 0x66, 0xf3, 0xf2};
    int is_long = byte_of(reading) == 0xc4;
    unsigned first = byte_of(reading), last = is_long ? byte_of(reading) : first;
    reading->rex = (~first >> 5 & (is_long ? 7 : 4)) | (is_long ? last >> 4 & 8 : 0);
    reading->map = is_long ? (first & 31) + 1 : 2;
    reading->prefix = prefixes[last & 3];
    reading->vector = 1;
    reading->wide = (last & 4) != 0;
}

static void read_prefixes(struct reading *reading)
{
    read_plain_prefixes(reading);
    reading->map = 1;
    if (*reading->at == 0xc4 || *reading->at == 0xc5) {
        read_vector_prefix(reading);
        return;
    }
    if ((*reading->at & 0xf0) == 0x40)
        reading->rex = byte_of(reading) & 15;
    if (*reading->at != 0x0f)
        return;
    reading->at++;
    reading->map = 2;
    if (*reading->at == 0x38 || *reading->at == 0x3a)
        reading->map = byte_of(reading) == 0x38 ? 3 : 4;
}

static size_t word_size(const struct reading *reading) { return reading->rex & 8 ? 8 : reading->small ? 2 : 4; }

static size_t bytes_of(const struct reading *reading, enum width width)
{
    size_t whole = reading->wide ? 32 : 16;
    switch (width) {
    case BYTE:
        return 1;
    case TWO:
        return 2;
    case FOUR:
        return 4;
    case EIGHT:
        return 8;
    case SIXTEEN:
        return 16;
    case WORD:
        return word_size(reading);
    case GENERAL:
        return reading->rex & 8 ? 8 : 4;
    case NUMBER:
        return reading->prefix == 0xf3 ? 4 : reading->prefix == 0xf2 ? 8 : whole;
    default:
        return whole;
    }
}

static intptr_t displacement(const unsigned char *at, int bytes)
{
    int32_t far = 0;
    if (bytes == 4)
        memcpy(&far, at, sizeof far);
    return bytes == 1 ? (signed char)*at : far;
}

/* Bytes that come after the address in an instruction: where the next one starts is what it is relative to. */
static size_t immediate_of(const struct reading *reading, unsigned opcode, unsigned digit)
{
    size_t word = word_size(reading) == 2 ? 2 : 4;
    if (reading->map == 4)
        return 1;
    if (reading->map == 2)
        return opcode == 0xa4 || opcode == 0xac || opcode == 0xba || opcode == 0xc2 || opcode == 0xc6
               || (opcode >= 0x70 && opcode <= 0x73);
    if (reading->map != 1)
        return 0;
    if (opcode == 0xf6 || opcode == 0xf7)
        return digit > 1 ? 0 : opcode == 0xf6 ? 1 : word;
    if (opcode == 0x69 || opcode == 0x81 || opcode == 0xc7)
        return word;
    return opcode == 0x6b || opcode == 0x80 || opcode == 0x83 || opcode == 0xc0 || opcode == 0xc1 || opcode == 0xc6;
}

/* The address that the second byte names, and what follows it; `after` are the bytes behind that. */
static uintptr_t address_of(const struct reading *reading, size_t after)
{
    const uintptr_t *general = reading->registers->general;
    const unsigned char *at = reading->at;
    unsigned mode = *at >> 6, base = *at & 7, b = (reading->rex & 1) << 3;
    int far = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    uintptr_t address = reading->thread ? reading->registers->thread : 0;
    at++;
    if (base == 4) {
        unsigned index = (*at >> 3 & 7) | (reading->rex & 2) << 2, scale = *at >> 6;
        base = *at++ & 7;
        address += index != 4 ? general[index] << scale : 0;
        far = base == 5 && mode == 0 ? 4 : far;
        address += base == 5 && mode == 0 ? 0 : general[base | b];
    } else if (base == 5 && mode == 0) {
        return address + (uintptr_t)at + 4 + after + (uintptr_t)displacement(at, 4);
    } else {
        address += general[base | b];
    }
    return address + (uintptr_t)displacement(at, far);
}

/* How an opcode that goes on in its second byte touches its operand. */
static unsigned by_digit(const struct reading *reading, unsigned opcode, unsigned digit)
{
    enum width width = opcode & 1 || opcode == 0xba ? WORD : BYTE;
    if (reading->map == 2 && opcode == 0xc7)
        return digit != 1 ? 0 : reading->rex & 8 ? RW(SIXTEEN) : RW(EIGHT);
    if (opcode == 0xba)
        return digit < 4 ? 0 : digit == 4 ? R(WORD) : RW(WORD);
    if (opcode <= 0x83)
        return digit == 7 ? R(width) : RW(width);
    if (opcode <= 0xf7)
        return digit == 2 || digit == 3 ? RW(width) : R(width);
    return digit < 2 ? RW(WORD) : digit == 2 || digit == 4 || digit == 6 ? R(EIGHT) : 0;
}

static unsigned looked_up(const struct reading *reading, unsigned opcode, unsigned digit)
{
    unsigned takes = reading->map == 1 ? one_byte[opcode] : reading->map == 2 ? two_bytes[opcode] : 0;
    if (reading->map == 2 && opcode == 0x7e && reading->prefix == 0xf3)
        return R(EIGHT);
    if (reading->map == 3 && opcode >= 0xf0)
        return opcode == 0xf1 && reading->prefix == 0 && !reading->vector ? W(WORD) : R(GENERAL);
    if (reading->map == 3)
        return R(VECTOR);
    if (reading->map == 4)
        return opcode == 0xf0 ? R(GENERAL) : opcode >= 0x14 && opcode <= 0x17 ? W(GENERAL) : R(VECTOR);
    return takes == BY_DIGIT ? by_digit(reading, opcode, digit) : takes;
}

static void touch(struct instruction *found, uintptr_t address, size_t size, unsigned flags)
{
    found->touched[found->count++] = (struct touched){address, size, flags};
}

/* A bit may lie far from the word that is named. */
static uintptr_t word_of_bit(const struct reading *reading, unsigned digit)
{
    intptr_t bit = (intptr_t)reading->registers->general[digit | (reading->rex & 4) << 1];
    intptr_t bits = (intptr_t)word_size(reading) * 8;
    if (bits != 64)
        bit = (int32_t)bit;
    return (uintptr_t)((bit >= 0 ? bit / bits : -((bits - 1 - bit) / bits)) * (bits / 8));
}

/* The string instructions: movs, cmps, stos, lods, scas; with a prefix as often as the counter says. */
static void decode_string(struct instruction *found, const struct reading *reading, unsigned opcode)
{
    const uintptr_t *general = reading->registers->general;
    size_t each = opcode & 1 ? word_size(reading) : 1, times = reading->repeats ? general[1] : 1;
    int down = (reading->registers->flags & 0x400) != 0, compares = (opcode & 0xf6) == 0xa6;
    size_t size = each * (compares ? times != 0 : times), back = down && !compares ? size - each : 0;
    unsigned range = reading->repeats && !compares ? RANGE : 0;
    opcode &= 0xfe;
    found->repeated = reading->repeats && !compares;
    if (size != 0 && (opcode == 0xa4 || opcode == 0xa6 || opcode == 0xac))
        touch(found, general[6] - back, size, READS | range);
    if (size != 0 && opcode != 0xac)
        touch(found, general[7] - back, size, (opcode == 0xa4 || opcode == 0xaa ? WRITES : READS) | range);
}

static enum flow flow_of(const struct reading *reading, unsigned opcode, unsigned digit)
{
    if (reading->map != 1)
        return GOES_ON;
    if (opcode == 0xe8 || (opcode == 0xff && digit == 2))
        return CALLS;
    return opcode == 0xc2 || opcode == 0xc3 ? COMES_BACK : GOES_ON;
}

struct instruction decode(const unsigned char *at, const struct registers *registers)
{
    struct instruction found = {.flow = GOES_ON};
    struct reading reading = {.at = at, .registers = registers};
    read_prefixes(&reading);
    unsigned opcode = byte_of(&reading), digit = *reading.at >> 3 & 7;
    found.flow = flow_of(&reading, opcode, digit);
    if (reading.map == 1 && opcode >= 0xa4 && opcode <= 0xaf && opcode != 0xa8 && opcode != 0xa9) {
        decode_string(&found, &reading, opcode);
        return found;
    }
    unsigned takes = looked_up(&reading, opcode, digit);
    if (takes == 0 || *reading.at >> 6 == 3)
        return found;
    uintptr_t address = address_of(&reading, immediate_of(&reading, opcode, digit));
    if (reading.map == 2 && (opcode == 0xa3 || opcode == 0xab || opcode == 0xb3 || opcode == 0xbb))
        address += word_of_bit(&reading, digit);
    touch(&found, address, bytes_of(&reading, (enum width)(takes >> 2)), takes & (READS | WRITES));
    return found;
}
