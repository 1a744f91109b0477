namespace Native.Tests;

/// <summary>The sixteen-at-a-time path of 2x2 max pooling against the rule written out, with ties, NaN and every width around a vector.</summary>
public class Max2x2Tests
{
    [Fact]
    public void Values_and_indices_follow_the_rule()
    {
        var rng = new Generator(7);
        foreach (int width in new[] { 2, 3, 7, 14, 15, 28, 31, 32, 33, 34, 63, 64, 66, 70 })
            foreach (int height in new[] { 2, 3, 5, 8, 28 })
            {
                // Few distinct values make ties, some are NaN.
                var x = new float[2 * height * width];
                for (int i = 0; i < x.Length; i++)
                    x[i] = rng.NextInt64(8) switch { 0 => float.NaN, var v => v };
                using var scope = TensorScope.Begin();
                var (values, indices) = Functional.MaxPool2dWithIndices(Tensor.From(x, [1, 2, height, width]), 2);
                float[] y = values.ToArray<float>();
                long[] at = indices.ToArray<long>();
                int k = 0;
                for (int plane = 0; plane < 2; plane++)
                    for (int i = 0; i < height / 2; i++)
                        for (int j = 0; j < width / 2; j++, k++)
                        {
                            int first = 2 * i * width + 2 * j, best = first;
                            foreach (int c in new[] { first + 1, first + width, first + width + 1 })
                            {
                                float v = x[plane * height * width + c], b = x[plane * height * width + best];
                                if (!float.IsNaN(b) && (float.IsNaN(v) || v > b))
                                    best = c;
                            }
                            Assert.Equal((best, x[plane * height * width + best]), ((int)at[k], y[k]));
                        }
            }
    }
}
