"""Captions of the figures of arXiv:1603.07285, in our words; where the printed ones are wrong, corrected.

The captions of figure 4.7, and of 4.6 in the draft, print a 2 x 2 input, which is 3 x 3. The draft's
relationship 14 adds zeros to the top and right edges; they belong to the bottom and right ones.
"""

CAPTIONS = {
    "kernel": "The kernel of the examples (section 1.1).",
    "1.1": "The output values of a discrete convolution.",
    "1.2": "The output values of a discrete convolution: 3 x 3 kernel, 5 x 5 input, stride 2, padding 1.",
    "1.3": "From two input features to three output features: every output feature has a kernel for each "
    "input feature, and sums over them.",
    "1.4": "Another view of strides: instead of moving the kernel by 2, move it by 1 and retain one in "
    "two outputs.",
    "1.5": "Average pooling: 3 x 3 windows, 5 x 5 input, stride 1.",
    "1.6": "Max pooling: 3 x 3 windows, 5 x 5 input, stride 1.",
    "2.1": "No padding, unit strides: 3 x 3 kernel, 4 x 4 input.",
    "2.2": "Arbitrary padding, unit strides: 4 x 4 kernel, 5 x 5 input, padding 2.",
    "2.3": "Half padding, unit strides: 3 x 3 kernel, 5 x 5 input, padding 1.",
    "2.4": "Full padding, unit strides: 3 x 3 kernel, 5 x 5 input, padding 2.",
    "2.5": "No padding, arbitrary strides: 3 x 3 kernel, 5 x 5 input, stride 2.",
    "2.6": "Arbitrary padding and strides: 3 x 3 kernel, 5 x 5 input, stride 2, padding 1.",
    "2.7": "Arbitrary padding and strides: 3 x 3 kernel, 6 x 6 input, stride 2, padding 1. No window "
    "covers the bottom row and the right column of the padded input.",
    "2.8a": "Counting positions: with stride 1 the kernel takes two steps to the right side of the input. "
    "With the first position, the output size is 3.",
    "2.8b": "Counting positions: with stride 2 the kernel takes one step to the right side of the input. "
    "With the first position, the output size is 2.",
    "4.1": "The transpose of 2.1: 3 x 3 kernel, 2 x 2 input, padding 2.",
    "4.2": "The transpose of 2.2: 4 x 4 kernel, 6 x 6 input, padding 1.",
    "4.3": "The transpose of half padding (2.3): 3 x 3 kernel, 5 x 5 input, half padding again.",
    "4.4": "The transpose of full padding (2.4): 3 x 3 kernel, 7 x 7 input, no padding.",
    "4.5": "The transpose of 2.5: 3 x 3 kernel, 2 x 2 input with one zero inserted between inputs, "
    "padding 2.",
    "4.6": "The transpose of 2.6: 3 x 3 kernel, 3 x 3 input with one zero inserted between inputs, "
    "padding 1.",
    "4.7": "The transpose of 2.7: 3 x 3 kernel, 3 x 3 input with one zero inserted between inputs, "
    "padding 1, and one more zero (a = 1) at the bottom and right edges.",
    "5.1": "Dilated convolution: 3 x 3 kernel, 7 x 7 input, dilation 2.",
    "matrix": "A convolution as a matrix (section 4.1): input and output unrolled row by row.",
}
