namespace Native;

/// <summary>Arithmetic as C# writes it. Every operator is a row of <see cref="Ops"/>.</summary>
public static class TensorOps
{
    extension(Tensor x)
    {
        /// <summary>Elementwise sum.</summary>
        public static Tensor operator +(Tensor a, Tensor b) => Ops.Add.Apply(a, b);

        /// <summary>Adds a number to every element.</summary>
        public static Tensor operator +(Tensor a, double b) => Ops.AddScalar.Apply(a, b);

        /// <summary>Adds a number to every element.</summary>
        public static Tensor operator +(double a, Tensor b) => Ops.AddScalar.Apply(b, a);

        /// <summary>Elementwise difference.</summary>
        public static Tensor operator -(Tensor a, Tensor b) => Ops.Sub.Apply(a, b);

        /// <summary>Subtracts a number from every element.</summary>
        public static Tensor operator -(Tensor a, double b) => Ops.AddScalar.Apply(a, -b);

        /// <summary>Subtracts every element from a number.</summary>
        public static Tensor operator -(double a, Tensor b) => Ops.AddScalar.Apply(Ops.Neg.Apply(b), a);

        /// <summary>Elementwise negation.</summary>
        public static Tensor operator -(Tensor a) => Ops.Neg.Apply(a);

        /// <summary>Elementwise product.</summary>
        public static Tensor operator *(Tensor a, Tensor b) => Ops.Mul.Apply(a, b);

        /// <summary>Multiplies every element by a number.</summary>
        public static Tensor operator *(Tensor a, double b) => Ops.MulScalar.Apply(a, b);

        /// <summary>Multiplies every element by a number.</summary>
        public static Tensor operator *(double a, Tensor b) => Ops.MulScalar.Apply(b, a);

        /// <summary>Elementwise quotient.</summary>
        public static Tensor operator /(Tensor a, Tensor b) => Ops.Div.Apply(a, b);

        /// <summary>Divides every element by a number.</summary>
        public static Tensor operator /(Tensor a, double b)
        {
            Check.Float(a, "div");
            return Ops.DivScalar.Apply(a, b);
        }

        /// <summary>Divides a number by every element.</summary>
        public static Tensor operator /(double a, Tensor b) => Ops.DivInto.Apply(b, a);

        /// <summary>x to a constant power.</summary>
        public Tensor Pow(double exponent) => exponent == 2 ? Ops.Square.Apply(x) : Ops.PowScalar.Apply(x, exponent);

        /// <summary>x to the power of another tensor.</summary>
        public Tensor Pow(Tensor exponent) => Ops.Pow.Apply(x, exponent);

        /// <summary>x * x.</summary>
        public Tensor Square() => Ops.Square.Apply(x);

        /// <summary>Square root.</summary>
        public Tensor Sqrt() => Ops.Sqrt.Apply(x);

        /// <summary>1 / sqrt(x).</summary>
        public Tensor Rsqrt() => Ops.Rsqrt.Apply(x);

        /// <summary>e to the x.</summary>
        public Tensor Exp() => Ops.Exp.Apply(x);

        /// <summary>e to the x, minus 1.</summary>
        public Tensor Expm1() => Ops.Expm1.Apply(x);

        /// <summary>Natural logarithm.</summary>
        public Tensor Log() => Ops.Log.Apply(x);

        /// <summary>log(1 + x).</summary>
        public Tensor Log1p() => Ops.Log1p.Apply(x);

        /// <summary>Sine.</summary>
        public Tensor Sin() => Ops.Sin.Apply(x);

        /// <summary>Cosine.</summary>
        public Tensor Cos() => Ops.Cos.Apply(x);

        /// <summary>Hyperbolic cosine.</summary>
        public Tensor Cosh() => Ops.Cosh.Apply(x);

        /// <summary>Hyperbolic sine.</summary>
        public Tensor Sinh() => Ops.Sinh.Apply(x);

        /// <summary>The error function.</summary>
        public Tensor Erf() => Ops.Erf.Apply(x);

        /// <summary>Hyperbolic tangent.</summary>
        public Tensor Tanh() => Ops.Tanh.Apply(x);

        /// <summary>1 / (1 + e^-x).</summary>
        public Tensor Sigmoid() => Ops.Sigmoid.Apply(x);

        /// <summary>log(1 + e^x).</summary>
        public Tensor Softplus() => Ops.Softplus.Apply(x);

        /// <summary>max(x, 0).</summary>
        public Tensor Relu() => Ops.Relu.Apply(x);

        /// <summary>x where positive, else slope * x.</summary>
        public Tensor LeakyRelu(double slope = 0.01) => Ops.LeakyRelu.Apply(x, slope);

        /// <summary>|x|.</summary>
        public Tensor Abs() => Ops.Abs.Apply(x);

        /// <summary>-1, 0 or 1.</summary>
        public Tensor Sign() => Ops.Sign.Apply(x);

        /// <summary>Rounds down.</summary>
        public Tensor Floor() => Ops.Floor.Apply(x);

        /// <summary>Limits every element to [min, max].</summary>
        public Tensor Clamp(double min = double.NegativeInfinity, double max = double.PositiveInfinity) => Ops.Clamp.Apply(x, min, max);

        /// <summary>The larger of two, elementwise.</summary>
        public Tensor Maximum(Tensor other) => Ops.Maximum.Apply(x, other);

        /// <summary>The smaller of two, elementwise.</summary>
        public Tensor Minimum(Tensor other) => Ops.Minimum.Apply(x, other);

        /// <summary>Sum over all dims, a scalar. Truth values and short integers are added as i64.</summary>
        public Tensor Sum() => Ops.Sum.Apply(Wide(x));

        /// <summary>Sum over one dim.</summary>
        public Tensor Sum(int dim, bool keepDim = false) => Ops.Sum.Apply(Wide(x), [dim], keepDim);

        /// <summary>Sum over several dims.</summary>
        public Tensor Sum(ReadOnlySpan<int> dims, bool keepDim = false) => Ops.Sum.Apply(Wide(x), dims, keepDim);
    }

    private static Tensor Wide(Tensor x) => x.DType is DType.Bool or DType.U8 or DType.I32 ? x.To(DType.I64) : x;
}
