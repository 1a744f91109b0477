using System.Numerics;

namespace Native;

/// <summary>
/// The weight gradient with channels as lanes: x becomes [image][row][column][channel], gy [image][pixel][filter], and every weight is a sum
/// over pixels of one number of the one times a vector of the other. Along a row the kernel places are neighbours there, so that
/// kernelW * channels lanes can be taken as one run; or each place on its own, when padding would waste more than that fills. Either side
/// may give the lanes.
/// </summary>
internal unsafe struct ConvWeights<T, TVec, TLanes> : IJob
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    // Elements of both sides that are rearranged at a time: by one thread for itself, within its second-level cache, or by all together.
    private const long OwnRound = 1 << 17, SharedRound = 1 << 18;

    // Multiply-adds and elements moved that are worth a chunk.
    private const int SumGrain = 1 << 18, MoveGrain = 16 << 10;

    // Partial sums: more of them only cost memory traffic, and so do large ones; with fewer than four all threads share one instead.
    private const long MostParts = 16, FewestParts = 4, PartElements = 1 << 19;

    // Tiles may read and write whole vectors beyond the end of a run.
    private const int Slack = 64;

    private enum Phase
    {
        Part,
        Load,
        Sum,
        Add,
        Store,
    }

    private ConvShape s;
    private WeightPlan plan;
    private T* x, gy, gw, sums, sharedX, sharedG;
    private nint panels, panelHeight, tiles, lanes, tileWidth;
    private nint parts, sumSize, first, images;
    private int chunks;
    private Phase phase;

    /// <summary>gw = the weight gradient of one group; the batch is not empty.</summary>
    public static void Run(ConvShape s, WeightPlan plan, T* x, T* gy, T* gw)
    {
        ConvWeights<T, TVec, TLanes> job = new() { s = s, plan = plan, x = x, gy = gy, gw = gw };
        job.Run();
    }

    private void Run()
    {
        nint rows = plan.Rows;
        panels = (rows + TLanes.TapRows - 1) / TLanes.TapRows;
        panelHeight = (rows + panels - 1) / panels;
        tileWidth = (panelHeight <= TapKernels<T, TVec, TLanes>.WideRows ? 4 : 2) * TLanes.Count;
        tiles = (plan.Lanes + tileWidth - 1) / tileWidth;
        lanes = tiles * tileWidth;
        sumSize = rows * plan.Classes * lanes;
        parts = Parts();
        sums = Scratch.Get<T>(Scratch.Slot.ConvC, parts * sumSize);
        if (parts > 1)
        {
            Start(Phase.Part, parts);
            Start(Phase.Add, Workers.Chunks(sumSize * parts, MoveGrain));
        }
        else
        {
            RunTogether();
        }
        Start(Phase.Store, Math.Min((nint)s.FiltersPerGroup, Workers.Chunks(s.FiltersPerGroup * s.Taps, MoveGrain)));
    }

    // All threads rearrange some images, then all sum over them, each for its own weights.
    private void RunTogether()
    {
        nint batch = (nint)s.Batch, round = Round(SharedRound, batch);
        sharedX = Scratch.Get<T>(Scratch.Slot.ConvA, (round * plan.ImageX) + Slack);
        sharedG = Scratch.Get<T>(Scratch.Slot.ConvB, (round * plan.ImageG) + Slack);
        for (first = 0; first < batch; first += round)
        {
            images = Math.Min(round, batch - first);
            Start(Phase.Load, Math.Min(images, Workers.Chunks(images * (plan.ImageX + plan.ImageG), MoveGrain)));
            Start(Phase.Sum, Math.Min(plan.Classes * panels * tiles, Workers.Chunks((long)images * plan.Work, SumGrain)));
        }
    }

    // From the shape alone, counted for vectors of 16 whatever their width here.
    private readonly nint Parts()
    {
        long size = plan.Rows * plan.Classes * ((plan.Lanes + 15) / 16 * 16), together = (s.Batch + plan.Together - 1) / plan.Together;
        long wanted = Math.Min(Math.Min(MostParts, PartElements / size), Math.Min(together, s.Batch * plan.Work / SumGrain));
        return wanted < FewestParts ? 1 : (nint)wanted;
    }

    private readonly nint Round(long elements, nint count)
    {
        nint groups = (count + plan.Together - 1) / plan.Together;
        return (nint)Math.Clamp(elements / (plan.ImageX + plan.ImageG) / plan.Together, 1, groups) * plan.Together;
    }

    private void Start(Phase next, nint count)
    {
        (phase, chunks) = (next, (int)count);
        Workers.Run(chunks, ref this);
    }

    public readonly void Run(int chunk)
    {
        switch (phase)
        {
            case Phase.Part:
                Part(chunk);
                break;
            case Phase.Load:
                nint image = (nint)Workers.Start(images, chunks, chunk), count = (nint)Workers.Start(images, chunks, chunk + 1) - image;
                Load(first + image, count, sharedX + (image * plan.ImageX), sharedG + (image * plan.ImageG));
                break;
            case Phase.Sum:
                nint units = plan.Classes * panels * tiles;
                nint from = (nint)Workers.Start(units, chunks, chunk), to = (nint)Workers.Start(units, chunks, chunk + 1);
                Sum(images, sharedX, sharedG, from, to, sums, first > 0);
                break;
            case Phase.Add:
                Add((nint)Workers.Start(sumSize, chunks, chunk), (nint)Workers.Start(sumSize, chunks, chunk + 1));
                break;
            default:
                Store(chunk);
                break;
        }
    }

    // One partial sum, by one thread, over a part of the batch.
    private readonly void Part(int part)
    {
        nint groups = ((nint)s.Batch + plan.Together - 1) / plan.Together;
        nint start = (nint)Workers.Start(groups, (int)parts, part) * plan.Together;
        nint end = Math.Min((nint)s.Batch, (nint)Workers.Start(groups, (int)parts, part + 1) * plan.Together);
        nint round = Round(OwnRound, end - start);
        T* xs = Scratch.Get<T>(Scratch.Slot.ConvA, (round * plan.ImageX) + Slack);
        T* gs = Scratch.Get<T>(Scratch.Slot.ConvB, (round * plan.ImageG) + Slack);
        for (nint image = start; image < end; image += round)
        {
            nint count = Math.Min(round, end - image);
            Load(image, count, xs, gs);
            Sum(count, xs, gs, 0, plan.Classes * panels * tiles, sums + (part * sumSize), image > start);
        }
    }

    // Rearranges images of both sides.
    private readonly void Load(nint image, nint count, T* xs, T* gs)
    {
        nint channels = (nint)s.ChannelsPerGroup, filters = (nint)s.FiltersPerGroup, width = (nint)s.Width, margin = plan.Margin * channels;
        for (nint i = image; i < image + count; i++)
        {
            T* plane = x + (i * (nint)(s.Channels * s.InPixels));
            if (margin == 0)
            {
                Transpose.Run(plane, (nint)s.InPixels, xs, channels, channels, (nint)s.InPixels);
                xs += plan.ImageX;
            }
            else
            {
                for (nint row = 0; row < (nint)s.Height; row++, xs += (2 * margin) + (width * channels))
                {
                    new Span<T>(xs, (int)margin).Clear();
                    Transpose.Run(plane + (row * width), (nint)s.InPixels, xs + margin, channels, channels, width);
                    new Span<T>(xs + margin + (width * channels), (int)margin).Clear();
                }
            }
            Transpose.Run(gy + (i * (nint)(s.Filters * s.OutPixels)), (nint)s.OutPixels, gs, filters, filters, (nint)s.OutPixels);
            gs += plan.ImageG;
        }
    }

    // Adds images to some tiles: image by image, so that its pixels are in the second-level cache for all of them.
    private readonly void Sum(nint count, T* xs, T* gs, nint from, nint to, T* into, bool accumulate)
    {
        for (nint i = 0; i < count; i += plan.Together)
        {
            for (nint u = from; u < to; u++)
                SumTile(Math.Min(plan.Together, count - i), xs + (i * plan.ImageX), gs + (i * plan.ImageG), u / tiles, u % tiles, into, accumulate || i > 0);
        }
    }

    private readonly void SumTile(nint count, T* xs, T* gs, nint classAndPanel, nint tile, T* into, bool accumulate)
    {
        nint place = classAndPanel / panels, row = classAndPanel % panels * panelHeight, rows = Math.Min(panelHeight, plan.Rows - row);
        nint lane = tile * tileWidth, left = plan.Lanes - lane;
        int vectors = left > 2 * TLanes.Count ? (int)(tileWidth / TLanes.Count) : left > TLanes.Count ? 2 : 1;
        var taps = plan.Taps(place, count, sizeof(T), out nint startX, out nint startG);
        T* px = xs + startX, pg = gs + startG;
        T* a = (plan.LanesAreFilters ? px : pg) + row, b = (plan.LanesAreFilters ? pg : px) + lane;
        T* c = into + (((row * plan.Classes) + place) * lanes) + lane;
        TapKernels<T, TVec, TLanes>.Tile((int)rows, vectors, taps, a, b, c, plan.Classes * lanes, accumulate, null);
    }

    // Adds the other partial sums to the first, in order.
    private readonly void Add(nint start, nint end)
    {
        nint i = start;
        for (; i + TLanes.Count <= end; i += TLanes.Count)
        {
            TVec total = TLanes.Load(sums + i);
            for (nint p = 1; p < parts; p++)
                total = TLanes.Add(total, TLanes.Load(sums + (p * sumSize) + i));
            TLanes.Store(total, sums + i);
        }
        for (; i < end; i++)
        {
            for (nint p = 1; p < parts; p++)
                sums[i] += sums[(p * sumSize) + i];
        }
    }

    // From [row][class][lane] to [filter][channel][ky][kx].
    private readonly void Store(int chunk)
    {
        nint channels = (nint)s.ChannelsPerGroup, kernelH = (nint)s.KernelH, kernelW = (nint)s.KernelW, places = kernelH * kernelW;
        nint end = (nint)Workers.Start(s.FiltersPerGroup, chunks, chunk + 1);
        for (nint f = (nint)Workers.Start(s.FiltersPerGroup, chunks, chunk); f < end; f++)
        {
            T* to = gw + (f * channels * places);
            if (!plan.LanesAreFilters)
            {
                T* from = sums + (f * plan.Classes * lanes);
                if (plan.RowsOfPlaces)
                    for (nint ky = 0; ky < kernelH; ky++)
                        Transpose.Run(from + (ky * lanes), channels, to + (ky * kernelW), places, kernelW, channels);
                else
                    Transpose.Run(from, lanes, to, places, places, channels);
                continue;
            }
            for (nint c = 0; c < channels; c++)
            {
                for (nint p = 0; p < places; p++)
                {
                    (nint place, nint row) = plan.RowsOfPlaces ? (p / kernelW, (p % kernelW * channels) + c) : (p, c);
                    to[(c * places) + p] = sums[(((row * plan.Classes) + place) * lanes) + f];
                }
            }
        }
    }
}
