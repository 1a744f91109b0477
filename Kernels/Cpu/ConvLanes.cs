using System.Numerics;

namespace Native;

/// <summary>
/// Convolution with images as lanes: source and result are rearranged to [channel][pixel][images], so that one vector is one pixel of
/// many images. Any stride, dilation and padding is then the same loop, taps in the padding are not computed at all, and a map of 2x2
/// pixels fills the vectors as well as a large one. The price is the rearranging, and lanes left empty by a small batch.
/// </summary>
internal unsafe struct ConvLanes<T, TVec, TLanes> : IJob
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    // Elements of both sides that are rearranged at a time: they stay in the last-level cache until they are used.
    private const long RoundElements = 1 << 20;

    // Elements moved, and multiply-adds, that are worth a chunk.
    private const int MoveGrain = 16 << 10, SumGrain = 1 << 18;

    private enum Phase
    {
        Load,
        Sum,
        Store,
    }

    private ConvPanels<T, TVec, TLanes> panels;
    private ConvSum sum;
    private T* source, result, bias, sourceLanes, resultLanes;
    private TapTables tables, lastTables;
    private nint full, first, blocks;
    private nint pixelParts, chunks;
    private Phase phase;

    /// <summary>result = the convolution of one group + bias.</summary>
    public static void Run(ConvSum sum, T* source, T* weight, T* bias, T* result)
    {
        ConvLanes<T, TVec, TLanes> job = new()
        {
            sum = sum,
            panels = new(sum, weight),
            source = source,
            bias = bias,
            result = result,
        };
        job.Run();
    }

    private void Run()
    {
        nint batch = (nint)sum.S.Batch;
        // Few result channels leave registers free: four vectors of images then share each weight.
        full = (sum.Results <= TapKernels<T, TVec, TLanes>.WideRows && batch > 2 * TLanes.Count ? 4 : 2) * TLanes.Count;
        nint allBlocks = (batch + full - 1) / full;
        tables = Tables(full);
        lastTables = Tables(Lanes(allBlocks - 1));
        nint sourceBlock = sum.Sources * sum.SourcePixels * full, resultBlock = sum.Results * sum.ResultPixels * full;
        nint round = (nint)Math.Clamp(RoundElements / (sourceBlock + resultBlock), 1, allBlocks);
        sourceLanes = Scratch.Get<T>(Scratch.Slot.ConvB, round * sourceBlock);
        resultLanes = Scratch.Get<T>(Scratch.Slot.ConvC, round * resultBlock);
        for (first = 0; first < allBlocks; first += round)
        {
            blocks = Math.Min(round, allBlocks - first);
            phase = Phase.Load;
            chunks = Math.Min(sum.Sources, Workers.Chunks(blocks * sourceBlock, MoveGrain));
            Workers.Run((int)(blocks * chunks), ref this);

            phase = Phase.Sum;
            nint tiles = blocks * panels.Count;
            long work = (long)blocks * resultBlock * sum.Sources * sum.Places;
            pixelParts = Math.Clamp(Workers.Chunks(work, SumGrain) / tiles, 1, sum.ResultPixels);
            chunks = Math.Min(tiles * pixelParts, Workers.Chunks(work, SumGrain));
            Workers.Run((int)chunks, ref this);

            phase = Phase.Store;
            chunks = Math.Min(sum.Results, Workers.Chunks(blocks * resultBlock, MoveGrain));
            Workers.Run((int)(blocks * chunks), ref this);
        }
    }

    public readonly void Run(int chunk)
    {
        switch (phase)
        {
            case Phase.Load:
                Load(chunk / chunks, chunk % chunks);
                break;
            case Phase.Sum:
                Sum(chunk);
                break;
            default:
                Store(chunk / chunks, chunk % chunks);
                break;
        }
    }

    private readonly TapTables Tables(nint lanes) => TapTables.Of(sum, panels.Height * sizeof(T), lanes * sizeof(T));

    private readonly nint Images(nint block) => Math.Min(full, (nint)sum.S.Batch - (block * full));

    // Whole vectors that hold the images of a block. Lanes without an image hold anything: their results are not read.
    private readonly nint Lanes(nint block)
    {
        nint images = Images(block);
        return images <= TLanes.Count ? TLanes.Count : images <= 2 * TLanes.Count ? 2 * TLanes.Count : 4 * TLanes.Count;
    }

    private readonly void Load(nint block, nint part)
    {
        nint from = (nint)Workers.Start(sum.Sources, (int)chunks, (int)part), to = (nint)Workers.Start(sum.Sources, (int)chunks, (int)part + 1);
        nint pixels = sum.SourcePixels, lanes = Lanes(first + block);
        T* planes = source + ((first + block) * full * sum.SourceImage) + (from * pixels);
        T* lanePlanes = sourceLanes + (block * sum.Sources * pixels * full) + (from * pixels * lanes);
        Transpose.Run(planes, sum.SourceImage, lanePlanes, lanes, Images(first + block), (to - from) * pixels);
    }

    private readonly void Store(nint block, nint part)
    {
        nint from = (nint)Workers.Start(sum.Results, (int)chunks, (int)part), to = (nint)Workers.Start(sum.Results, (int)chunks, (int)part + 1);
        nint pixels = sum.ResultPixels, lanes = Lanes(first + block);
        T* lanePlanes = resultLanes + (block * sum.Results * pixels * full) + (from * pixels * lanes);
        T* planes = result + ((first + block) * full * sum.ResultImage) + (from * pixels);
        Transpose.Run(lanePlanes, lanes, planes, sum.ResultImage, (to - from) * pixels, Images(first + block));
    }

    private readonly void Sum(int chunk)
    {
        nint units = blocks * panels.Count * pixelParts;
        nint end = (nint)Workers.Start(units, (int)chunks, chunk + 1);
        for (nint u = (nint)Workers.Start(units, (int)chunks, chunk); u < end; u++)
        {
            nint part = u % pixelParts, panel = u / pixelParts % panels.Count, block = u / pixelParts / panels.Count;
            nint start = (nint)Workers.Start(sum.ResultPixels, (int)pixelParts, (int)part);
            nint stop = (nint)Workers.Start(sum.ResultPixels, (int)pixelParts, (int)part + 1);
            Sum(block, panel, start, stop);
        }
    }

    private readonly void Sum(nint block, nint panel, nint start, nint stop)
    {
        nint lanes = Lanes(first + block), row = panels.Row(panel), sourceStep = sum.SourcePixels * lanes, resultStep = sum.ResultPixels * lanes;
        T* b = sourceLanes + (block * sum.Sources * sum.SourcePixels * full);
        T* c = resultLanes + (block * sum.Results * sum.ResultPixels * full) + (row * resultStep);
        var table = lanes == full ? tables : lastTables;
        for (nint s = 0; s < sum.Sources; s += sum.SourceBlock)
        {
            nint sources = Math.Min(sum.SourceBlock, sum.Sources - s);
            T* last = bias != null && s + sources == sum.Sources ? bias + row : null;
            for (nint q = start; q < stop; q++)
            {
                TapKernels<T, TVec, TLanes>.Tile(
                    (int)panels.Rows(panel), (int)(lanes / TLanes.Count), table.At(q, sources, panels.SourceStep, sourceStep),
                    panels.At(panel, s), b + (s * sourceStep), c + (q * lanes), resultStep, s > 0, last);
            }
        }
    }
}
