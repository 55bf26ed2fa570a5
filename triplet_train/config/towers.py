"""The towers by name. Importing TensorFlow to ask it would cost every configuration seconds."""

# This package's own, each with the filters that it has where none are given.
FILTERS = {"cnn": [32, 64], "resnet": [16, 32, 64]}

# Those of keras.applications, by family.
CONVNEXT = ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge")
DENSENET = ("DenseNet121", "DenseNet169", "DenseNet201")
EFFICIENTNET = tuple(f"EfficientNetB{size}" for size in range(8))
EFFICIENTNET_V2 = tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L"))
INCEPTION = ("InceptionV3", "InceptionResNetV2", "Xception")
MOBILENET = ("MobileNet", "MobileNetV2")
MOBILENET_V3 = ("MobileNetV3Small", "MobileNetV3Large")
NASNET = ("NASNetMobile", "NASNetLarge")
RESNET = ("ResNet50", "ResNet101", "ResNet152")
RESNET_V2 = ("ResNet50V2", "ResNet101V2", "ResNet152V2")
VGG = ("VGG16", "VGG19")
APPLICATIONS = (
    *CONVNEXT,
    *DENSENET,
    *EFFICIENTNET,
    *EFFICIENTNET_V2,
    *INCEPTION,
    *MOBILENET,
    *MOBILENET_V3,
    *NASNET,
    *RESNET,
    *RESNET_V2,
    *VGG,
)
WITHOUT_BATCH_NORM = (*CONVNEXT, *VGG)

TOWERS = (*FILTERS, *APPLICATIONS)
