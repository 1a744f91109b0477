using System.Collections.Concurrent;

namespace Native;

/// <summary>
/// Which numbers meet in a weight gradient (<see cref="ConvWeights{T, TVec, TLanes}"/>) and which side gives the lanes. From the shape alone,
/// and kept. A class is a set of weights that sum over the same pixels: one kernel row, or one kernel place.
/// </summary>
internal sealed unsafe class WeightPlan
{
    // The vector that lanes are counted in when two ways are compared, and the fewest rows that keep the multipliers busy.
    private const long Vector = 16, FewestRows = 4;

    // Up to this many pixels an image is one table, and several images one sum; above, a table is one row of an image.
    private const long SmallPixels = 128, SumPixels = 256;

    private const int MostKept = 256;

    private static readonly ConcurrentDictionary<(ConvShape Shape, bool Margins), WeightPlan> Kept = new();

    private readonly ConvShape _s;
    private readonly bool _small;
    private readonly nint[] _offsets; // (into G, into X) in elements
    private readonly Entry[] _entries;
    private readonly Table _f32, _f64;

    private WeightPlan(ConvShape s, bool margins)
    {
        _s = s;
        long usefulX = 0;
        for (long k = 0; k < s.KernelW; k++)
            usefulX += Range(s.Width, s.OutW, k, s.StrideW, s.PadW, s.DilationW).Count;
        (RowsOfPlaces, LanesAreFilters) = Choose(s, usefulX, margins);
        Margin = RowsOfPlaces ? (nint)s.PadW : 0;
        WidthX = (nint)s.Width + (2 * Margin);
        ImageX = (nint)s.Height * WidthX * (nint)s.ChannelsPerGroup;
        ImageG = (nint)(s.OutPixels * s.FiltersPerGroup);
        nint run = (nint)(RowsOfPlaces ? s.KernelW * s.ChannelsPerGroup : s.ChannelsPerGroup);
        (Rows, Lanes) = LanesAreFilters ? (run, (nint)s.FiltersPerGroup) : ((nint)s.FiltersPerGroup, run);
        Classes = (nint)(RowsOfPlaces ? s.KernelH : s.KernelH * s.KernelW);
        _small = s.OutPixels <= SmallPixels;
        Together = _small ? (nint)Math.Max(1, SumPixels / s.OutPixels) : 1;
        var offsets = new List<nint>();
        _entries = new Entry[Classes];
        for (nint place = 0; place < Classes; place++)
            _entries[place] = Add(place, offsets);
        _offsets = [.. offsets];
        _f32 = new(_offsets, sizeof(float), LanesAreFilters);
        _f64 = new(_offsets, sizeof(double), LanesAreFilters);
    }

    /// <summary>The classes are kernel rows, whose places are neighbours in memory; otherwise single places.</summary>
    public bool RowsOfPlaces { get; }

    /// <summary>Filters are the lanes and x gives the rows; otherwise the other way round.</summary>
    public bool LanesAreFilters { get; }

    /// <summary>Columns of zeros that x gets on both sides.</summary>
    public nint Margin { get; }

    /// <summary>Columns of x with its margins.</summary>
    public nint WidthX { get; }

    /// <summary>Elements of one image of rearranged x.</summary>
    public nint ImageX { get; }

    /// <summary>Elements of one image of rearranged gy.</summary>
    public nint ImageG { get; }

    /// <summary>Rows and lanes of one class.</summary>
    public nint Rows { get; }

    /// <inheritdoc cref="Rows"/>
    public nint Lanes { get; }

    /// <summary>Sets of weights that sum over the same pixels.</summary>
    public nint Classes { get; }

    /// <summary>Images that one sum takes together before it is added to the sum so far.</summary>
    public nint Together { get; }

    /// <summary>Multiply-adds of one image, about.</summary>
    public long Work => _s.OutPixels * _s.FiltersPerGroup * _s.Taps;

    /// <summary>The plan of a shape; without <paramref name="margins"/> one that multiplies nothing with padding.</summary>
    public static WeightPlan Of(ConvShape s, bool margins)
    {
        var key = (s with { Batch = 1 }, margins);
        if (Kept.TryGetValue(key, out var plan))
            return plan;
        if (Kept.Count >= MostKept)
            Kept.Clear();
        return Kept.GetOrAdd(key, static k => new WeightPlan(k.Shape, k.Margins));
    }

    /// <summary>The sum of one class over <paramref name="images"/> images.</summary>
    /// <param name="place">The class.</param>
    /// <param name="images">Images; 1 unless <see cref="Together"/> is more.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="startX">Elements from the start of x's image to where the sum starts.</param>
    /// <param name="startG">The same for gy.</param>
    public Taps Taps(nint place, nint images, int size, out nint startX, out nint startG)
    {
        var e = _entries[place];
        (startX, startG) = (e.StartX, e.StartG);
        (nint steps, nint stepX, nint stepG) = _small ? (images, ImageX, ImageG) : (e.Rows, e.StepX, e.StepG);
        nint* pairs = (size == sizeof(float) ? _f32 : _f64).Pairs + (2 * e.First);
        return LanesAreFilters ? new(steps, pairs, e.Count, stepX, stepG) : new(steps, pairs, e.Count, stepG, stepX);
    }

    private static (bool RowsOfPlaces, bool LanesAreFilters) Choose(ConvShape s, long usefulX, bool margins)
    {
        long c = s.ChannelsPerGroup, f = s.FiltersPerGroup, all = s.KernelW * s.OutW;
        (long Cost, bool Rows, bool Filters) best = (long.MaxValue, false, false);
        foreach (bool rows in new[] { true, false })
        {
            if (rows && (s.DilationW != 1 || (s.PadW > 0 && !margins)))
                continue;
            // Lanes or rows of x, times the columns of a row of pixels that they are summed over.
            long run = rows ? s.KernelW * c : c, columns = rows ? s.OutW : usefulX;
            Consider(RoundUp(run) * Math.Max(f, FewestRows) * columns, rows, false);
            Consider(RoundUp(f) * Math.Max(run, FewestRows) * columns, rows, true);
        }
        return (best.Rows, best.Filters);

        void Consider(long cost, bool rows, bool filters)
        {
            if (cost < best.Cost)
                best = (cost, rows, filters);
        }
        static long RoundUp(long n) => (n + Vector - 1) / Vector * Vector;
    }

    // The result positions o in [Start, Start + Count) that meet the source at kernel place k.
    private static (nint Start, nint Count) Range(long size, long outSize, long k, long stride, long pad, long dilation)
    {
        long shift = pad - (k * dilation);
        long start = Math.Max(0, (shift + stride - 1) / stride), end = Math.Min(outSize, shift + size <= 0 ? 0 : ((shift + size - 1) / stride) + 1);
        return ((nint)Math.Min(start, outSize), (nint)Math.Max(0, end - start));
    }

    private Entry Add(nint place, List<nint> offsets)
    {
        long ky = RowsOfPlaces ? place : place / _s.KernelW, kx = RowsOfPlaces ? 0 : place % _s.KernelW;
        (nint y0, nint rows) = Range(_s.Height, _s.OutH, ky, _s.StrideH, _s.PadH, _s.DilationH);
        (nint x0, nint columns) = RowsOfPlaces ? (0, (nint)_s.OutW) : Range(_s.Width, _s.OutW, kx, _s.StrideW, _s.PadW, _s.DilationW);
        nint channels = (nint)_s.ChannelsPerGroup, filters = (nint)_s.FiltersPerGroup, outW = (nint)_s.OutW;
        nint stepX = (nint)_s.StrideH * WidthX * channels, stepG = outW * filters;
        nint row = (y0 * (nint)_s.StrideH) - (nint)_s.PadH + (nint)(ky * _s.DilationH);
        nint column = RowsOfPlaces ? 0 : (x0 * (nint)_s.StrideW) - (nint)_s.PadW + (nint)(kx * _s.DilationW);
        nint startX = ((row * WidthX) + column) * channels, startG = ((y0 * outW) + x0) * filters;
        if (rows == 0 || columns == 0)
            return new(0, 0, 0, 0, 0, stepX, stepG); // a kernel place that never leaves the padding: its gradient is 0
        nint first = offsets.Count / 2;
        for (nint y = 0; y < (_small ? rows : 1); y++)
        {
            for (nint i = 0; i < columns; i++)
            {
                offsets.Add((y * stepG) + (i * filters));
                offsets.Add((y * stepX) + (i * (nint)_s.StrideW * channels));
            }
        }
        return new(startX, startG, first, (offsets.Count / 2) - first, rows, stepX, stepG);
    }

    private readonly record struct Entry(nint StartX, nint StartG, nint First, nint Count, nint Rows, nint StepX, nint StepG);

    /// <summary>The offsets in bytes of one element type, the rows' side first.</summary>
    private sealed class Table
    {
        private readonly nint[] _pairs;

        public Table(nint[] offsets, int size, bool swap)
        {
            _pairs = GC.AllocateUninitializedArray<nint>(Math.Max(2, offsets.Length), pinned: true);
            for (int i = 0; i < offsets.Length; i++)
                _pairs[swap ? i ^ 1 : i] = offsets[i] * size;
            fixed (nint* pairs = _pairs)
                Pairs = pairs;
        }

        public nint* Pairs { get; }
    }
}
