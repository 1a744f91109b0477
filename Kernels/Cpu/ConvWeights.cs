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
    // Elements of both sides that are rearranged at a time: they stay in the last-level cache until they are used.
    private const long RoundElements = 1 << 20;

    // Multiply-adds and elements moved that are worth a chunk.
    private const int SumGrain = 1 << 18, MoveGrain = 16 << 10;

    // Tiles may read and write whole vectors beyond the end of a run.
    private const int Slack = 64;

    private enum Phase
    {
        Load,
        Sum,
        Store,
    }

    private ConvShape s;
    private WeightPlan plan;
    private T* x, gy, gw, xs, gs, sums;
    private nint first, images;
    private nint panels, panelHeight, tiles, lanes, tileWidth;
    private int chunks;
    private bool started;
    private Phase phase;

    /// <summary>gw = the weight gradient of one group; the batch is not empty.</summary>
    public static void Run(ConvShape s, T* x, T* gy, T* gw)
    {
        ConvWeights<T, TVec, TLanes> job = new() { s = s, plan = WeightPlan.Of(s), x = x, gy = gy, gw = gw };
        job.Run();
    }

    private void Run()
    {
        nint batch = (nint)s.Batch, rows = plan.Rows;
        panels = (rows + TLanes.TapRows - 1) / TLanes.TapRows;
        panelHeight = (rows + panels - 1) / panels;
        tileWidth = (panelHeight <= TapKernels<T, TVec, TLanes>.WideRows ? 4 : 2) * TLanes.Count;
        tiles = (plan.Lanes + tileWidth - 1) / tileWidth;
        lanes = tiles * tileWidth;
        nint perImage = plan.ImageX + plan.ImageG;
        nint round = (nint)Math.Clamp(RoundElements / perImage / plan.Together, 1, (batch + plan.Together - 1) / plan.Together) * plan.Together;
        xs = Scratch.Get<T>(Scratch.Slot.ConvA, (round * plan.ImageX) + Slack);
        gs = Scratch.Get<T>(Scratch.Slot.ConvB, (round * plan.ImageG) + Slack);
        sums = Scratch.Get<T>(Scratch.Slot.ConvC, rows * plan.Classes * lanes);
        for (first = 0; first < batch; first += round)
        {
            images = Math.Min(round, batch - first);
            phase = Phase.Load;
            chunks = (int)Math.Min(images, Workers.Chunks(images * perImage, MoveGrain));
            Workers.Run(chunks, ref this);

            phase = Phase.Sum;
            chunks = (int)Math.Min(plan.Classes * panels * tiles, Workers.Chunks((long)images * plan.Work, SumGrain));
            Workers.Run(chunks, ref this);
            started = true;
        }
        phase = Phase.Store;
        chunks = (int)Math.Min((nint)s.FiltersPerGroup, Workers.Chunks(s.FiltersPerGroup * s.Taps, MoveGrain));
        Workers.Run(chunks, ref this);
    }

    public readonly void Run(int chunk)
    {
        switch (phase)
        {
            case Phase.Load:
                Load(chunk);
                break;
            case Phase.Sum:
                Sum(chunk);
                break;
            default:
                Store(chunk);
                break;
        }
    }

    private readonly void Load(int chunk)
    {
        nint channels = (nint)s.ChannelsPerGroup, filters = (nint)s.FiltersPerGroup, width = (nint)s.Width, height = (nint)s.Height;
        nint end = (nint)Workers.Start(images, chunks, chunk + 1);
        for (nint i = (nint)Workers.Start(images, chunks, chunk); i < end; i++)
        {
            T* image = x + ((first + i) * (nint)(s.Channels * s.InPixels)), to = xs + (i * plan.ImageX);
            if (plan.Margin == 0)
            {
                Transpose.Run(image, (nint)s.InPixels, to, channels, channels, (nint)s.InPixels);
            }
            else
            {
                nint margin = plan.Margin * channels;
                for (nint row = 0; row < height; row++, to += (2 * margin) + (width * channels))
                {
                    new Span<T>(to, (int)margin).Clear();
                    Transpose.Run(image + (row * width), (nint)s.InPixels, to + margin, channels, channels, width);
                    new Span<T>(to + margin + (width * channels), (int)margin).Clear();
                }
            }
            Transpose.Run(gy + ((first + i) * (nint)(s.Filters * s.OutPixels)), (nint)s.OutPixels, gs + (i * plan.ImageG), filters, filters, (nint)s.OutPixels);
        }
    }

    private readonly void Sum(int chunk)
    {
        nint units = plan.Classes * panels * tiles;
        nint from = (nint)Workers.Start(units, chunks, chunk), to = (nint)Workers.Start(units, chunks, chunk + 1);
        // Image by image, so that its pixels are in the second-level cache for all tiles.
        for (nint i = 0; i < images; i += plan.Together)
        {
            for (nint u = from; u < to; u++)
                Sum(i, Math.Min(plan.Together, images - i), u / tiles / panels, u / tiles % panels, u % tiles);
        }
    }

    private readonly void Sum(nint image, nint count, nint place, nint panel, nint tile)
    {
        nint row = panel * panelHeight, rows = Math.Min(panelHeight, plan.Rows - row), lane = tile * tileWidth, left = plan.Lanes - lane;
        int vectors = left > 2 * TLanes.Count ? (int)(tileWidth / TLanes.Count) : left > TLanes.Count ? 2 : 1;
        var taps = plan.Taps(place, count, sizeof(T), out nint startX, out nint startG);
        T* px = xs + (image * plan.ImageX) + startX, pg = gs + (image * plan.ImageG) + startG;
        T* a = (plan.LanesAreFilters ? px : pg) + row, b = (plan.LanesAreFilters ? pg : px) + lane;
        T* c = sums + (((row * plan.Classes) + place) * lanes) + lane;
        TapKernels<T, TVec, TLanes>.Tile((int)rows, vectors, taps, a, b, c, plan.Classes * lanes, started || image > 0, null);
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
