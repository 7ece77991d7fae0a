// Numbers of a row of a page: 16-bit, or codes with a scale for each block of them behind all codes.
template <typename P>
struct PageRow {
    static inline float number(const device P* row, uint at, uint, uint) { return float(row[at]); }
};

template <>
struct PageRow<uchar> {
    static inline float number(const device uchar* row, uint at, uint dims, uint block) {
        const device uchar* scale = row + dims + 2 * (at / block);
        half factor = as_type<half>(ushort(scale[0] | scale[1] << 8));
        return float(int(row[at]) - (row[at] > 127 ? 256 : 0)) * float(factor);
    }
};

// The first key that a query at `position` sees.
inline uint first_key(uint position, uint window, bool chunked) {
    if (window == 0) return 0;
    if (chunked) return position / window * window;
    return position + 1 > window ? position + 1 - window : 0;
}
