using System.Numerics;

namespace Native.Methods;

/// <summary>
/// The size of a discrete code and of the auto-encoder behind it (Scalable Recollections, appendix "Recollection Module Implementation"): variables c of l
/// categories each, kept at ceil(log2 l) bits a variable. Every layer of the auto-encoder has c l / 4 filters, so that the last map, 2 x 2, is the code's logits.
/// </summary>
public readonly record struct CodeSize
{
    /// <summary>A size.</summary>
    /// <param name="variables">c, 1 or more.</param>
    /// <param name="categories">l, 2 or more.</param>
    /// <exception cref="UsageException">A number is too small, or c l / 4 is not whole.</exception>
    public CodeSize(int variables, int categories)
    {
        if (variables < 1 || categories < 2)
            throw new UsageException($"code: {variables} variables of {categories} categories hold nothing. Give 1 variable and 2 categories or more.");
        if ((long)variables * categories > int.MaxValue)
            throw new UsageException($"code: {variables} variables of {categories} categories are more than {int.MaxValue} numbers. Give fewer.");
        if (variables * categories % 4 != 0)
            throw new UsageException($"code: {variables} variables of {categories} categories make {variables} x {categories} / 4 = {variables * categories / 4.0} filters, "
                + $"which is no whole number. Give {variables - variables % 4 + 4} variables, or a product that 4 divides.");
        (Variables, Categories) = (variables, categories);
    }

    /// <summary>c.</summary>
    public int Variables { get; }

    /// <summary>l.</summary>
    public int Categories { get; }

    /// <summary>c l: the length of a code as one-hot vectors end to end.</summary>
    public int Length => Variables * Categories;

    /// <summary>Filters of every layer, c l / 4.</summary>
    public int Filters => Length / 4;

    /// <summary>ceil(log2 l).</summary>
    public int BitsPerVariable => (int)StoredBits.Code(1, Categories);

    /// <summary>k = c ceil(log2 l): bits of an item in simple binary, which is what an <c>IndexBuffer</c> takes.</summary>
    public int Bits => Variables * BitsPerVariable;

    /// <summary>C_ve = c log2 l (equation 3): bits of an item when all codes are equally likely. The paper's 620 variables of 3 categories take 200 images by this count only.</summary>
    public double InformationBits => StoredBits.CodeInformation(Variables, Categories);

    /// <summary>Trained numbers of the auto-encoder: six convolutions of 5 x 5 with biases (<see cref="ParametersOf"/>).</summary>
    public long Parameters(int channels) => ParametersOf(Filters, channels);

    /// <summary>25 C F 2 + 25 F^2 4 + 5 F + C for F filters and images of C channels.</summary>
    public static long ParametersOf(long filters, int channels) => 50 * channels * filters + 100 * filters * filters + 5 * filters + channels;

    /// <summary>Bits of items without the auto-encoder: incremental storage.</summary>
    public long IncrementalBits(long items) => checked(items * Bits);

    /// <summary>Bits of items and of the auto-encoder's numbers.</summary>
    public long TotalBits(long items, int channels) => StoredBits.Total(items, Bits, Parameters(channels));

    /// <summary>Items that fit an incremental budget.</summary>
    /// <exception cref="UsageException">Not one does.</exception>
    public long ItemsIn(long budgetBits) => budgetBits >= Bits ? budgetBits / Bits
        : throw new UsageException($"code: a budget of {budgetBits} bits is too small for one item of {Bits} bits ({Variables} variables of {Categories} categories). Give more, or a smaller code.");

    /// <summary>Items that fit a budget of which the auto-encoder takes its part: 1392 of 76 variables of 2 categories in 200 images of CIFAR (table 3).</summary>
    /// <exception cref="UsageException">Not one does.</exception>
    public long ItemsInTotal(long budgetBits, int channels)
    {
        long model = StoredBits.Model(Parameters(channels));
        return budgetBits - model >= Bits ? (budgetBits - model) / Bits
            : throw new UsageException($"code: a budget of {budgetBits} bits is too small for one item of {Bits} bits beside an auto-encoder of {model} bits "
                + $"({Variables} variables of {Categories} categories). Give more, or a smaller code.");
    }

    /// <summary>
    /// The size of largest capacity c log2 l whose items fit a budget of new storage (equation 4 with rho N = items). Of equal ones that with the
    /// fewest parameters, then with the fewest categories.
    /// </summary>
    /// <param name="budgetBits">gamma.</param>
    /// <param name="items">Items to be kept.</param>
    /// <param name="maxCategories">Largest l to try.</param>
    /// <param name="information">Count c log2 l bits an item instead of c ceil(log2 l): then the best for 200 images of CIFAR and 5000 items is table 2's 620 variables of 3 categories.</param>
    /// <exception cref="UsageException">The budget is too small for any code.</exception>
    public static CodeSize Largest(long budgetBits, long items, int maxCategories = 8, bool information = false) =>
        Best(maxCategories, l => (double)budgetBits / items / (information ? StoredBits.CodeInformation(1, l) : StoredBits.Code(1, l)), _ => true)
        ?? throw new UsageException($"code: a budget of {budgetBits} bits is too small for {items} items of any code of at most {maxCategories} categories. Give more, or fewer items.");

    /// <summary>
    /// The same when the budget pays for the auto-encoder too (equation 5, read as items k + 32 |theta|: as printed, per item, no published size fits).
    /// </summary>
    /// <param name="budgetBits">gamma.</param>
    /// <param name="items">Items to be kept.</param>
    /// <param name="channels">Channels of the images.</param>
    /// <param name="maxCategories">Largest l to try.</param>
    /// <exception cref="UsageException">The budget is too small for any code.</exception>
    public static CodeSize LargestInTotal(long budgetBits, long items, int channels, int maxCategories = 8) =>
        Best(maxCategories, l => (double)budgetBits / items / StoredBits.Code(1, l), s => s.TotalBits(items, channels) <= budgetBits)
        ?? throw new UsageException($"code: a budget of {budgetBits} bits is too small for {items} items of any code of at most {maxCategories} categories and their auto-encoder. Give more, or fewer items.");

    // For each l the largest c that divides and fits; the cost rises with c, so the first that fits from above is it.
    private static CodeSize? Best(int maxCategories, Func<int, double> most, Func<CodeSize, bool> fits)
    {
        CodeSize? best = null;
        for (int l = 2; l <= maxCategories; l++)
        {
            int step = 4 / (int)BigInteger.GreatestCommonDivisor(4, l);
            // A quotient that is a whole number may come out a rounding below it.
            long c = (long)Math.Min(most(l) * (1 + 1e-12), int.MaxValue / l);
            for (c -= c % step; c > 0; c -= step)
            {
                var size = new CodeSize((int)c, l);
                if (!fits(size))
                    continue;
                if (best is not { } b || size.InformationBits > b.InformationBits + 1e-9 || (size.InformationBits > b.InformationBits - 1e-9 && size.Filters < b.Filters))
                    best = size;
                break;
            }
        }
        return best;
    }

    /// <summary>For messages.</summary>
    public override string ToString() => $"{Variables} variables of {Categories} categories";
}
