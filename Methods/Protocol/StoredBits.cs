using System.Numerics;

namespace Native.Methods;

/// <summary>
/// What a method keeps, in bits: the conventions of Scalable Recollections (items, codes, models, Fisher information) and Automatic Recall Machines
/// (megabytes). Labels and task labels are not charged, for real items as for codes, as in both papers.
/// </summary>
public static class StoredBits
{
    /// <summary>Bits of a stored number: parameters are f32.</summary>
    public const int PerNumber = 32;

    /// <summary>A real image: H W C x 8.</summary>
    public static long Image(int channels, int height, int width) => 8L * channels * height * width;

    /// <summary>Items kept in full.</summary>
    public static long Items(long items, ItemSet set) => set is ImageSet images
        ? items * Image(images.Channels, images.Height, images.Width)
        : throw new UsageException($"storage: {set.Name} holds texts, which have no one size. Sum the bytes of those kept.");

    /// <summary>A code of c variables with l values each, as stored: k = c ceil(log2 l).</summary>
    public static long Code(int variables, int values) => Valid(variables, values) * BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)values));

    /// <summary>The same as information: k* = c log2 l.</summary>
    public static double CodeInformation(int variables, int values) => Valid(variables, values) * Math.Log2(values);

    /// <summary>A model: 32 bits a parameter.</summary>
    public static long Model(long parameters) => PerNumber * parameters;

    /// <summary>Elastic weight consolidation: parameters and their Fisher information, once per task.</summary>
    public static long Ewc(long parameters, int tasks) => 2 * PerNumber * parameters * tasks;

    /// <summary>Incremental storage of codes in images of the same bits: items k / (H W C 8); the auto-encoder is not in it.</summary>
    public static double ImageEquivalents(double bits, long imageBits) => bits / imageBits;

    /// <summary>Total storage: codes and the auto-encoder they need.</summary>
    public static long Total(long items, long codeBits, long parameters) => items * codeBits + Model(parameters);

    /// <summary>Megabytes of 10^6 bytes, as in ARM's tables.</summary>
    public static double Megabytes(double bits) => bits / 8e6;

    private static int Valid(int variables, int values) => variables >= 1 && values >= 2 ? variables
        : throw new UsageException($"storage: a code of {variables} variables with {values} values is none. Give 1 or more variables of 2 or more values.");
}
